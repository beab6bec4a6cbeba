//! x
use crate::step::Result;
pub(crate) fn run() -> Result {
    Ok(())
}
