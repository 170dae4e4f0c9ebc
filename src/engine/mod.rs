//! Drivers of message engines: commands to run, parsers of what they print.
