//! Short hashes for names.

use sha2::{Digest, Sha256};

/// The first eight hexadecimal digits of the SHA-256 of a string.
pub fn hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..4])
}
