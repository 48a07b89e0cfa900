//! What `isolate --status-fd` tells, a line of JSON each.

use nsnet::{inspect::NsKind, isolate::Ended};
use serde_json::{Map, Value, json};

/// All is ready; the command is about to start.
pub fn started(pid: u32, namespaces: &[(NsKind, u64)]) -> String {
    let kinds: Map<_, _> = namespaces.iter().map(|(kind, inode)| (kind.as_str().to_owned(), json!(inode))).collect();
    line(&json!({ "child_pid": pid, "namespaces": kinds }))
}

/// The command has ended.
pub fn ended(ended: Ended) -> String {
    match ended {
        Ended::Exited(code) => line(&json!({ "exit_code": code })),
        Ended::Killed(signal) => line(&json!({ "exit_code": ended.code(), "signal": signal })),
    }
}

/// It never ran; nsnet ends with this code.
pub fn not_run(code: u8) -> String {
    line(&json!({ "exit_code": code }))
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
