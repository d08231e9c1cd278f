//! The permission broker: grants access to Lambda functions and layers by request, never beyond an
//! allowlist, and leaves a record of everything.
//!
//! # The line
//!
//! ```text
//! event ──► received ──► request ──► grant ──► approved ──► intent ──► outcome ──► recorded ──► reply
//! bytes     who + text   wire shape  AWS-valid  allowlisted  audit #1   AWS call    audit #2     per source
//!           └─ untrusted ──────────┘ └─ pure, no I/O ─────┘ └─ the only I/O ──────────────────┘
//! ```
//!
//! Each step's type is made by the step before it and by nothing else, so that the order is checked
//! by the compiler: the call to AWS needs an [`audit::Intent`], which only a written audit line gives,
//! and a reply needs an [`audit::Recorded`], which only a written outcome line gives.
//!
//! # Where things are
//!
//! | module | what it is |
//! |---|---|
//! | [`broker`] | the line itself |
//! | [`event`] | the doors: which source, who asks, and the request as text |
//! | [`requester`] | who asks, as AWS stamped it |
//! | [`request`] | the wire shape; unknown, doubled and mistyped fields |
//! | [`arn`], [`principal`], [`resource`] | ids, parsed once |
//! | `json` | objects from outside, read without losing anything |
//! | [`asked`] | what a grant, a revoke and a read have in common |
//! | [`grant`] | every rule that AWS documents |
//! | `function_url` | two grants as one |
//! | [`expiry`] | when a grant ends, and how its statement's id says so |
//! | [`schedule`] | the schedule that ends it, made before it |
//! | `expire` | a timed grant, taken away when its time has passed |
//! | `sweep` | the net under that: every policy looked through for timed grants that should have ended |
//! | `carry_forward` | a layer's grants, on its next version too |
//! | [`revoke`], [`read`] | the same for taking a statement away and for looking |
//! | [`allowlist`] | the decision |
//! | [`source`], [`extension`] | where the allowlist comes from |
//! | [`policy`] | the careful write |
//! | `secret` | the token, kept out of everything that is shown |
//! | `statement` | statements, compared by meaning |
//! | `inventory` | a policy, told to a person |
//! | [`audit`] | the two records |
//! | [`reply`] | the answer in the source's shape |
//! | [`openapi`] | what the HTTP door takes and answers, as a document |
//! | [`results`] | outcomes as events on a bus, for whoever follows without reading logs |
//! | [`error`], [`outcome`] | every ending: one table |
//! | [`config`], [`connection`], [`log`] | the start: the client, environment, HTTP side, diagnostics |
//! | `local` | the embedded control plane and the command line; not in the deployed binary |

pub mod allowlist;
pub mod arn;
pub mod asked;
pub mod audit;
pub mod aws;
mod boxed;
pub mod broker;
mod carry_forward;
pub mod config;
pub mod connection;
pub mod error;
pub mod event;
mod expire;
pub mod expiry;
pub mod extension;
mod function_url;
pub mod grant;
mod inventory;
mod json;
#[cfg(feature = "local")]
pub mod local;
pub mod log;
mod mark;
pub mod openapi;
pub mod outcome;
pub mod policy;
pub mod principal;
pub mod read;
pub mod reply;
pub mod request;
pub mod requester;
pub mod resource;
pub mod results;
pub mod revoke;
pub mod schedule;
mod secret;
pub mod source;
mod statement;
mod sweep;
