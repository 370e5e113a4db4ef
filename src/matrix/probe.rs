//! Single questions to the homeserver, with its answer as it stands: for whoever wants to know
//! what a homeserver can do rather than to have something done.

use std::time::{Duration, Instant};

use http::Method;
use http::header::DATE;
use ruma::{OwnedUserId, UserId};
use serde_json::Value;

use super::actor::Actor;
use super::error::MatrixError;
use super::homeserver::Homeserver;

/// One question. `name` stands for it in errors, without ids.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Method and last path words.
    pub name: &'a str,
    /// The method.
    pub method: Method,
    /// The path's segments, each encoded on its own.
    pub path: &'a [&'a str],
    /// Query parameters.
    pub query: &'a [(&'a str, &'a str)],
    /// The body, if it has one.
    pub body: Option<Value>,
}

/// What came back with a status of success.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body; `null` when it is no JSON.
    pub body: Value,
    /// The `Date` header, verbatim.
    pub date: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Answer {
    /// A text of the body's first level.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key).and_then(Value::as_str)
    }
}

impl Homeserver {
    /// Asks once, as `actor` or as the token's own account.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn ask(
        &self,
        actor: Option<&Actor>,
        question: Question<'_>,
    ) -> Result<Answer, MatrixError> {
        let Question { name, method, path, query, body } = question;
        let impossible = |reason: String| MatrixError::Request { reason };
        let mut url = reqwest::Url::parse(&self.base_url).map_err(|e| impossible(e.to_string()))?;
        url.path_segments_mut()
            .map_err(|()| impossible("the homeserver's address takes no path".to_owned()))?
            .pop_if_empty()
            .extend(path);
        let mut request = self.http.request(method, url).query(query);
        if let Some(Actor { user_id, device_id }) = actor {
            request = request.query(&[("user_id", user_id.as_str())]);
            if let Some(device) = device_id {
                request = request.query(&[("device_id", device.as_str())]);
            }
        }
        if !self.token.expose().is_empty() {
            request = request.bearer_auth(self.token.expose());
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let request = request.build().map_err(|error| impossible(error.to_string()))?;
        let asked = Instant::now();
        let answer = self.exchange(name, request).await?;
        let took = asked.elapsed();
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        Ok(Answer {
            date: date.map(str::to_owned),
            body: serde_json::from_slice(answer.body()).unwrap_or_default(),
            took,
        })
    }

    /// Whose token this is, and, acting as somebody with a device, which device the homeserver
    /// takes for the speaker's.
    ///
    /// # Errors
    /// When the token is not accepted or the homeserver cannot be reached.
    pub async fn whoami(
        &self,
        actor: Option<&Actor>,
    ) -> Result<(OwnedUserId, Option<String>), MatrixError> {
        let answer = self
            .ask(
                actor,
                Question {
                    name: "GET whoami",
                    method: Method::GET,
                    path: &["_matrix", "client", "v3", "account", "whoami"],
                    query: &[],
                    body: None,
                },
            )
            .await?;
        let user = answer.text("user_id").and_then(|user| UserId::parse(user).ok());
        let user = user.ok_or_else(|| MatrixError::Malformed {
            endpoint: "GET whoami".to_owned(),
            reason: "it names no account".to_owned(),
        })?;
        Ok((user, answer.text("device_id").map(str::to_owned)))
    }
}
