//! INT, TERM, HUP and QUIT, for work that must not just be cut off.

use futures::future::{pending, select_all};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// They do not end the process any more, but come here.
pub struct Interrupts(Vec<(u8, Signal)>);

impl Interrupts {
    /// Within a runtime. One that is ignored, as under `nohup`, stays so.
    pub fn watch() -> Result<Self, Failure> {
        let ignored = ignored();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        let watch_one = |kind: SignalKind| {
            let number = u8::try_from(kind.as_raw_value()).unwrap_or(0);
            signal(kind).map(|signal| (number, signal)).map_err(|e| Failure::Setup("watch for signals", e))
        };
        let is_heard = |kind: &SignalKind| ignored >> (kind.as_raw_value() - 1) & 1 == 0;
        kinds.into_iter().filter(is_heard).map(watch_one).collect::<Result<_, _>>().map(Self)
    }

    /// The number of the next one.
    pub async fn next(&mut self) -> u8 {
        let each = self.0.iter_mut().map(|(number, signal)| {
            Box::pin(async {
                signal.recv().await;
                *number
            })
        });
        if each.len() == 0 { pending().await } else { select_all(each).await.0 }
    }
}

/// The signals that this process ignores, a bit for each.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}
