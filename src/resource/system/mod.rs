//! What is about the server itself: configuration for clients, its version, its document.

mod api;
