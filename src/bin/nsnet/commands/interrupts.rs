//! INT, TERM, HUP and QUIT, for work that must not just be cut off.

use futures::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// They do not end the process any more, but come here.
pub struct Interrupts(Vec<(u8, Signal)>);

impl Interrupts {
    /// Within a runtime.
    pub fn watch() -> Result<Self, Failure> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        let watch_one = |kind: SignalKind| {
            let number = u8::try_from(kind.as_raw_value()).unwrap_or(0);
            signal(kind).map(|signal| (number, signal)).map_err(|e| Failure::Setup("watch for signals", e))
        };
        kinds.into_iter().map(watch_one).collect::<Result<_, _>>().map(Self)
    }

    /// The number of the next one.
    pub async fn next(&mut self) -> u8 {
        let each = self.0.iter_mut().map(|(number, signal)| {
            Box::pin(async {
                signal.recv().await;
                *number
            })
        });
        select_all(each).await.0
    }
}
