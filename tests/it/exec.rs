//! exec: becoming a command.
