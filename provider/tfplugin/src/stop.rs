//! Stop requests. A Stop sets the token of all operations in progress; later operations get a new token.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Signals to an operation that Terraform has requested a stop.
#[derive(Clone, Debug)]
pub struct StopToken(watch::Receiver<bool>);

impl StopToken {
    /// A token that is never set, for tests and for work outside an operation.
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// True after a stop was requested.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when a stop is requested, otherwise never.
    pub async fn stopped(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|stopped| *stopped).await.is_err() {
            // The source was dropped without a Stop, as for a token of `never`.
            std::future::pending::<()>().await;
        }
    }
}

/// Creates tokens and sets them on a Stop.
#[derive(Debug)]
pub struct StopSource(Mutex<watch::Sender<bool>>);

impl Default for StopSource {
    fn default() -> Self {
        Self(Mutex::new(watch::channel(false).0))
    }
}

impl StopSource {
    /// A token for an operation that starts now.
    pub fn token(&self) -> StopToken {
        StopToken(self.0.lock().unwrap_or_else(PoisonError::into_inner).subscribe())
    }

    /// Sets the token of the operations in progress, and creates a new one for later operations.
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
