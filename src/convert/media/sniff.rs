//! What kind of file some bytes are.

/// The MIME type of a file from its first bytes (some kilobytes); `name` is believed only
/// where the bytes say nothing.
pub fn sniff(head: &[u8], name: Option<&str>) -> String {
    if let Some(kind) = infer::get(head) {
        return kind.mime_type().to_owned();
    }
    name.and_then(|name| mime_guess::from_path(name).first_raw())
        .unwrap_or("application/octet-stream")
        .to_owned()
}
