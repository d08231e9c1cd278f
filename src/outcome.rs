//! The words a request can end with.

/// The outcome of a request, the same word in reply and audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The statement was added, and AWS confirmed it.
    Granted,
    /// A statement of the same meaning was there under this id.
    AlreadyGranted,
    /// A dry run: the grant is valid and allowed, and no statement stands under its id.
    WouldGrant,
    /// The statement is gone from the policy, and AWS confirmed it.
    Revoked,
    /// No statement stood under this id.
    AlreadyRevoked,
    /// A dry run: the statement stands there, and may be revoked.
    WouldRevoke,
    /// The policy was read.
    Read,
    /// The description of the HTTP door was handed out.
    Described,
    /// The requester, the door or the allowlist does not permit it.
    Denied,
    /// The document is malformed or breaks AWS's rules.
    Rejected,
    /// The statement id is taken by a statement of another meaning.
    Conflict,
    /// AWS, the network or the audit stood in the way.
    Failed,
}

impl Outcome {
    /// Every outcome, the good ones first.
    pub const ALL: [Self; 12] = [
        Self::Granted,
        Self::AlreadyGranted,
        Self::WouldGrant,
        Self::Revoked,
        Self::AlreadyRevoked,
        Self::WouldRevoke,
        Self::Read,
        Self::Described,
        Self::Denied,
        Self::Rejected,
        Self::Conflict,
        Self::Failed,
    ];

    /// The word, e.g. `already_granted`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::AlreadyGranted => "already_granted",
            Self::WouldGrant => "would_grant",
            Self::Revoked => "revoked",
            Self::AlreadyRevoked => "already_revoked",
            Self::WouldRevoke => "would_revoke",
            Self::Read => "read",
            Self::Described => "described",
            Self::Denied => "denied",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
        }
    }
}
