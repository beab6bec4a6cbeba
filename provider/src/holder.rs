//! The holder of a lease: this process.

use std::sync::OnceLock;

/// Host and process, in characters that AWS allows in a tag.
pub(crate) fn holder() -> &'static str {
    static HOLDER: OnceLock<String> = OnceLock::new();
    HOLDER.get_or_init(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "host".to_owned());
        let host: String =
            host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(60).collect();
        format!("{host}:{}", std::process::id())
    })
}
