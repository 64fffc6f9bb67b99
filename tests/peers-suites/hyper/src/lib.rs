//! A package for hyper's tests.
