//! How large files may be, and whether a member gets them.

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::ask::Ask;
use super::devices::Cast;
use super::place::megabytes;
use super::service::refused;
use super::sheet::Seen;
use super::witness::Witness;
use crate::matrix::{Homeserver, Lookup, MatrixError, UploadBody};

/// A telephone's video of a minute; with less, much of an archive stays behind.
const SMALL_LIMIT_BYTES: u64 = 20 << 20;
const SAMPLE: &[u8] = b"passerelle doctor: these bytes may be deleted\n";

pub(super) async fn limit(homeserver: &Homeserver, configured: u64) -> Seen {
    match Lookup::new(homeserver.clone()).upload_limit_bytes().await {
        Ok(limit) => judge_limit(limit, configured),
        Err(error) => refused(&error),
    }
}

fn judge_limit(limit: u64, configured: u64) -> Seen {
    let shown = megabytes(limit);
    if configured > limit {
        return Seen::warning(
            format!(
                "the homeserver takes {shown}, import.max_file_bytes allows {}: files between the two will be named, not uploaded",
                megabytes(configured)
            ),
            "raise the homeserver's limit, or lower import.max_file_bytes (0 follows the homeserver)",
        )
        .asking(Ask::UploadLimit(configured));
    }
    let effective = if configured == 0 { limit } else { configured };
    if effective < SMALL_LIMIT_BYTES {
        return Seen::warning(
            format!("files over {} stay out: few videos are smaller", megabytes(effective)),
            "raise the homeserver's limit, and import.max_file_bytes if it is set",
        )
        .asking(Ask::UploadLimit(SMALL_LIMIT_BYTES));
    }
    Seen::ok(format!(
        "the homeserver takes {shown}, files of up to {} are imported",
        megabytes(effective)
    ))
}

/// Returns what stays on the homeserver.
pub(super) async fn download(
    homeserver: &Homeserver,
    cast: &Cast,
    witness: &Witness,
) -> (Seen, Option<String>) {
    let body = || UploadBody::<futures_util::stream::Empty<_>>::Whole(Bytes::from_static(SAMPLE));
    let uploaded = homeserver.upload(&cast.ghost, "text/plain", None, body).await;
    let uri = match uploaded {
        Ok(uri) => uri,
        Err(error) => return (refused(&error), None),
    };
    let fetched = async {
        let stream = witness.account.download(&uri, SAMPLE.len() as u64).await?;
        stream.try_collect::<Vec<Bytes>>().await
    };
    let stays = format!("a file of {} bytes, {uri}", SAMPLE.len());
    (judge_download(fetched.await.map(|chunks| chunks.concat())), Some(stays))
}

fn judge_download(fetched: Result<Vec<u8>, MatrixError>) -> Seen {
    match fetched {
        Ok(bytes) if bytes == SAMPLE => Seen::ok("the witness gets the same bytes"),
        Ok(bytes) => Seen::error(
            format!("{} bytes came back instead of {}", bytes.len(), SAMPLE.len()),
            "something between us and the media repository changes files",
        ),
        Err(error) => Seen::error(
            error.to_string(),
            "see the log of the homeserver's media repository, and of the antivirus before it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::Verdict;
    use super::*;

    #[test]
    fn limits_are_compared() {
        let (small, large) = (1 << 20, 100 << 20);
        assert_eq!(judge_limit(large, 0).verdict, Verdict::Ok);
        assert_eq!(judge_limit(large, 50 << 20).verdict, Verdict::Ok);
        assert_eq!(judge_limit(small, 0).asks, [Ask::UploadLimit(SMALL_LIMIT_BYTES)]);
        assert_eq!(judge_limit(large, 200 << 20).asks, [Ask::UploadLimit(200 << 20)]);
        assert_eq!(judge_download(Ok(SAMPLE.to_vec())).verdict, Verdict::Ok);
        assert_eq!(judge_download(Ok(Vec::new())).verdict, Verdict::Error);
    }
}
