//! Stop requests: one token per generation of operations, re-armed after every Stop.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Tells an operation that Terraform wants it to stop.
#[derive(Clone, Debug)]
pub struct StopToken(watch::Receiver<bool>);

impl StopToken {
    /// A token that is never set, for tests and for work outside an operation.
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// Whether the operation was asked to stop.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when the operation is asked to stop; never, if it is not.
    pub async fn stopped(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|stopped| *stopped).await.is_err() {
            // The source is gone without a Stop (a token of `never`, or one already re-armed).
            std::future::pending::<()>().await;
        }
    }
}

/// Hands out tokens and stops them.
#[derive(Debug)]
pub struct StopSource(Mutex<watch::Sender<bool>>);

impl Default for StopSource {
    fn default() -> Self {
        Self(Mutex::new(watch::channel(false).0))
    }
}

impl StopSource {
    /// A token for what starts now.
    pub fn token(&self) -> StopToken {
        StopToken(self.0.lock().unwrap_or_else(PoisonError::into_inner).subscribe())
    }

    /// Stops what runs, and arms a new generation for what comes.
    pub fn stop(&self) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *sender, watch::channel(false).0);
        old.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_reaches_running_work_and_spares_what_comes() {
        let source = StopSource::default();
        let running = source.token();
        source.stop();
        running.stopped().await;
        assert!(running.is_stopped());
        assert!(!source.token().is_stopped());
        assert!(!StopToken::never().is_stopped());
    }
}
