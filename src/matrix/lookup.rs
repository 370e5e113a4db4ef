//! A handle that can only look. Plans are given this one, so that they cannot change anything.

use ruma::UserId;
use ruma::api::client::{authenticated_media::get_media_config, profile};
use tokio_util::sync::CancellationToken;

use super::error::MatrixError;
use super::homeserver::Homeserver;
use super::pace::Errand;

/// Read-only view of a homeserver.
#[derive(Clone, Debug)]
pub struct Lookup {
    homeserver: Homeserver,
}

impl Lookup {
    /// Looks with the service's own token.
    pub fn new(homeserver: Homeserver) -> Self {
        Self { homeserver }
    }

    /// The same view, for somebody else, until `halt`.
    #[must_use]
    pub fn on_errand(&self, errand: Errand, halt: CancellationToken) -> Self {
        Self { homeserver: self.homeserver.on_errand(errand, halt) }
    }

    /// The largest file the homeserver takes, in bytes.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn upload_limit_bytes(&self) -> Result<u64, MatrixError> {
        let request = get_media_config::v1::Request::new();
        Ok(self.homeserver.call(None, request).await?.upload_size.into())
    }

    /// Whether the homeserver knows an account.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn account_exists(&self, user: &UserId) -> Result<bool, MatrixError> {
        let field = ruma::profile::ProfileFieldName::DisplayName;
        let request = profile::get_profile_field::v3::Request::new(user.to_owned(), field);
        match self.homeserver.call(None, request).await {
            Ok(_) => Ok(true),
            Err(MatrixError::Refused { status, .. }) if status == http::StatusCode::NOT_FOUND => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
