//! The operation table: what the gate needs to know of an operation before its handler runs.

use crate::Field;
use http::Method;

/// One alternative of an operation's `security`.
#[derive(Debug)]
pub struct Security {
    pub scheme: &'static str,
    pub scopes: &'static [&'static str],
}

/// Who may call an operation (`x-access`), decided before the body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; bad credentials are still refused.
    Public,
    /// Anybody with valid credentials.
    Authenticated,
    /// The owner of the object, or a superuser; others do not see that it exists.
    Own,
    /// Holders of every one of these permissions (`app_label.codename`), the first of which
    /// decides which rows exist for the caller.
    Codes(&'static [&'static str]),
}

/// One operation of a document.
#[derive(Debug)]
pub struct Operation {
    /// `operationId`.
    pub id: &'static str,
    /// The document, by the name of its file.
    pub document: &'static str,
    /// The resource folder that implements it (`x-resource`).
    pub resource: &'static str,
    pub method: Method,
    /// Path template below the bases, in the document's own words.
    pub path: &'static str,
    /// Where it is served: the document's `servers`, or its path's own.
    pub bases: &'static [&'static str],
    /// The alternatives, but for `{}`, which is `anonymous`.
    pub security: &'static [Security],
    /// Whether credentials may be left out.
    pub anonymous: bool,
    pub access: Access,
    /// Media types of the request body; empty when there is none.
    pub consumes: &'static [&'static str],
    /// Media types of successful answers; empty when they have no body.
    pub produces: &'static [&'static str],
    pub query: &'static [Field],
}

impl Operation {
    /// Whether the operation is about one object (its path has a parameter).
    #[must_use]
    pub fn is_detail(&self) -> bool {
        self.path.contains('{')
    }

    /// Whether calling it changes nothing (RFC 9110 §9.2.1).
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.method.is_safe()
    }
}
