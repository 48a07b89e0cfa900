//! The command line: words, options, exit codes, both formats.
