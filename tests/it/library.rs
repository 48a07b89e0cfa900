//! The library, used as another program would.
