//! system_calls
