//! What can go wrong between us and the homeserver, sorted by what to do next.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use thiserror::Error;

use super::refusal::Refusal;

/// Why a request to the homeserver did not do what it should.
#[derive(Debug, Error)]
pub enum MatrixError {
    /// No answer: refused, cut, unresolvable, or too slow.
    #[error("the homeserver did not answer {endpoint}: {reason}")]
    Unreachable {
        /// Method and path, without ids.
        endpoint: String,
        /// What the connection said.
        reason: String,
    },
    /// Too many requests.
    #[error("the homeserver asks for a pause at {endpoint}")]
    RateLimited {
        /// Method and path, without ids.
        endpoint: String,
        /// How long, if it says.
        retry_after: Option<Duration>,
    },
    /// The homeserver, or something before it, is in trouble.
    #[error("the homeserver failed at {endpoint} with {status}")]
    Server {
        /// Method and path, without ids.
        endpoint: String,
        /// The status.
        status: StatusCode,
    },
    /// The token is unknown or no longer valid.
    #[error("the homeserver does not accept the token at {endpoint}: {message}")]
    TokenRejected {
        /// Method and path, without ids.
        endpoint: String,
        /// What it said.
        message: String,
    },
    /// The request is refused, and repeating it would not help.
    #[error(
        "the homeserver refused {endpoint}: {status} {errcode} {message}{}",
        in_brackets(errcode, message)
    )]
    Refused {
        /// Method and path, without ids.
        endpoint: String,
        /// The status.
        status: StatusCode,
        /// The Matrix error code, `M_FORBIDDEN` for one.
        errcode: String,
        /// What it said.
        message: String,
    },
    /// An answer that is not what the specification says.
    #[error("the homeserver's answer to {endpoint} cannot be read: {reason}")]
    Malformed {
        /// Method and path, without ids.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A request that cannot even be written.
    #[error("a request could not be made: {reason}")]
    Request {
        /// Why not.
        reason: String,
    },
    /// The call was not made, because whoever wanted it stops.
    #[error("{endpoint} was not called: the work it belongs to stops")]
    Halted {
        /// Method and path, without ids.
        endpoint: String,
    },
    /// The encryption library failed, or refuses.
    #[error("encryption failed to {doing}: {reason}")]
    Crypto {
        /// What it was to do.
        doing: &'static str,
        /// What it said.
        reason: String,
    },
    /// A device of ours whose keys are published and no longer there.
    #[error("the encryption keys of one of our accounts are gone from the disk")]
    KeysGone,
    /// The bytes of an upload could not be read on our side.
    #[error("a file could not be read for its upload: {reason}")]
    Source {
        /// Why not.
        reason: String,
    },
}

/// What a refusal means, where that is known.
fn in_brackets(errcode: &str, message: &str) -> String {
    Refusal::of(errcode, message)
        .map_or_else(String::new, |refusal| format!(" ({})", refusal.meaning()))
}

/// A ping that did not reach us is answered with 502 or 504, though the homeserver is well; the
/// code says why.
const PING_FAILURES: [&str; 3] = ["M_BAD_STATUS", "M_CONNECTION_FAILED", "M_CONNECTION_TIMEOUT"];

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    errcode: String,
    #[serde(default)]
    error: String,
    retry_after_ms: Option<u64>,
}

impl MatrixError {
    /// Whether the same request may succeed later, unchanged.
    pub fn is_transient(&self) -> bool {
        match self {
            // A garbled answer, or a proxy's page in place of one, says nothing of the request.
            Self::Unreachable { .. }
            | Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::Malformed { .. }
            | Self::Halted { .. } => true,
            Self::TokenRejected { .. }
            | Self::Refused { .. }
            | Self::Request { .. }
            | Self::Crypto { .. }
            | Self::KeysGone
            | Self::Source { .. } => false,
        }
    }

    /// The Matrix error code of a refusal.
    pub fn errcode(&self) -> Option<&str> {
        match self {
            Self::Refused { errcode, .. } => Some(errcode),
            Self::Unreachable { .. }
            | Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::TokenRejected { .. }
            | Self::Malformed { .. }
            | Self::Request { .. }
            | Self::Halted { .. }
            | Self::Crypto { .. }
            | Self::KeysGone
            | Self::Source { .. } => None,
        }
    }

    /// What it is, in a word or two for the log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "homeserver unreachable",
            Self::RateLimited { .. } => "rate limited",
            Self::Server { .. } => "homeserver failing",
            Self::TokenRejected { .. } => "token rejected",
            Self::Refused { .. } => "refused",
            Self::Malformed { .. } => "malformed answer",
            Self::Request { .. } => "impossible request",
            Self::Halted { .. } => "halted",
            Self::Crypto { .. } => "encryption",
            Self::KeysGone => "keys gone",
            Self::Source { .. } => "unreadable upload",
        }
    }

    /// What an operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "check matrix.homeserver_url and that the homeserver runs",
            Self::RateLimited { .. } => {
                "ask the homeserver's administrators for rate_limited: false in the registration"
            }
            Self::Server { .. } => "see the homeserver's log",
            Self::TokenRejected { .. } => {
                "install the registration on the homeserver and restart it, then run `passerelle registration check`"
            }
            Self::Refused { errcode, message, .. } => {
                Refusal::of(errcode, message).map_or("see the homeserver's message", Refusal::hint)
            }
            Self::Malformed { .. } => "something between us and the homeserver changes answers",
            Self::Request { .. } => "this is a defect of passerelle, please report it",
            Self::Halted { .. } => "it goes on where it stopped",
            Self::Crypto { .. } => "check the disk of daemon.state_dir, then resume",
            Self::KeysGone => "bring daemon.state_dir/crypto back from a backup, or cancel the job",
            Self::Source { .. } => "check the spool's disk",
        }
    }

    /// The wait of a `Retry-After` header in seconds, where the answer's body states none.
    pub(super) fn or_header(self, headers: &HeaderMap) -> Self {
        let Self::RateLimited { endpoint, retry_after: None } = self else { return self };
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let seconds = seconds.and_then(|text| text.trim().parse().ok());
        Self::RateLimited { endpoint, retry_after: seconds.map(Duration::from_secs) }
    }

    /// Sorts an unsuccessful answer.
    pub(super) fn from_answer(endpoint: &str, status: StatusCode, body: &[u8]) -> Self {
        let endpoint = endpoint.to_owned();
        let ErrorBody { errcode, error: message, retry_after_ms } = serde_json::from_slice(body)
            .unwrap_or(ErrorBody {
                errcode: String::new(),
                error: String::new(),
                retry_after_ms: None,
            });
        if status == StatusCode::TOO_MANY_REQUESTS {
            let retry_after = retry_after_ms.map(Duration::from_millis);
            return Self::RateLimited { endpoint, retry_after };
        }
        if status.is_server_error() && !PING_FAILURES.contains(&errcode.as_str()) {
            return Self::Server { endpoint, status };
        }
        if status == StatusCode::UNAUTHORIZED || errcode == "M_UNKNOWN_TOKEN" {
            return Self::TokenRejected { endpoint, message };
        }
        Self::Refused { endpoint, status, errcode, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_by_what_to_do_next() {
        let limited = br#"{"errcode":"M_LIMIT_EXCEEDED","error":"slow","retry_after_ms":1500}"#;
        let error = MatrixError::from_answer("PUT x", StatusCode::TOO_MANY_REQUESTS, limited);
        assert!(matches!(
            error,
            MatrixError::RateLimited { retry_after: Some(pause), .. }
                if pause == Duration::from_millis(1500)
        ));
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        let bare = MatrixError::from_answer("PUT x", StatusCode::TOO_MANY_REQUESTS, b"slow");
        assert!(matches!(
            bare.or_header(&headers),
            MatrixError::RateLimited { retry_after: Some(pause), .. }
                if pause == Duration::from_secs(7)
        ));
        let html = MatrixError::from_answer("GET x", StatusCode::BAD_GATEWAY, b"<html>");
        assert!(html.is_transient());
        let token = br#"{"errcode":"M_UNKNOWN_TOKEN","error":"gone"}"#;
        let error = MatrixError::from_answer("GET x", StatusCode::UNAUTHORIZED, token);
        assert!(matches!(error, MatrixError::TokenRejected { .. }) && !error.is_transient());
        let denied = br#"{"errcode":"M_FORBIDDEN","error":"no"}"#;
        let error = MatrixError::from_answer("POST x", StatusCode::FORBIDDEN, denied);
        assert_eq!(error.errcode(), Some("M_FORBIDDEN"));
        let ping = br#"{"errcode":"M_CONNECTION_FAILED","error":"no"}"#;
        let error = MatrixError::from_answer("POST x", StatusCode::BAD_GATEWAY, ping);
        assert_eq!(error.errcode(), Some("M_CONNECTION_FAILED"));
    }
}
