//! del: what goes, what stays, what is waited for.
