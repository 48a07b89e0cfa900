//! identify, pids, list-id and set.
