//! monitor: names as they come and go.
