//! Why a place could not be used at all, whatever was asked of it.

use std::io;

use tributary_formats::RepoUuid;

use crate::remote::RemoteName;
use crate::retry::Retry;

/// Why a place could not be used, whatever was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Nobody answered (the drive is not mounted, the server is down), so what is there stays unknown.
    #[error("{remote} cannot be reached")]
    Unreachable {
        /// The remote.
        remote: RemoteName,
        /// What the system said.
        source: io::Error,
    },
    /// Something else stands where the remote should be: another drive under the same mount point, another bucket.
    #[error("the place of {remote} belongs to the repository {found}, not to {expected}")]
    WrongPlace {
        /// The remote.
        remote: RemoteName,
        /// The UUID that the remote has.
        expected: RepoUuid,
        /// The UUID found there.
        found: RepoUuid,
    },
    /// The place answers, but does not let us.
    #[error("{remote} does not permit this")]
    Denied {
        /// The remote.
        remote: RemoteName,
        /// What the system said.
        source: io::Error,
    },
    /// There is no room left, or the quota is used up.
    #[error("{remote} is full")]
    Full {
        /// The remote.
        remote: RemoteName,
        /// What the system said.
        source: io::Error,
    },
    /// The place failed in another way.
    #[error("{remote} failed")]
    Failed {
        /// The remote.
        remote: RemoteName,
        /// What the system said.
        source: io::Error,
    },
}

impl PlaceError {
    /// Sorts what the system said at a place by what the caller can do.
    pub fn of(remote: &RemoteName, source: io::Error) -> Self {
        let remote = remote.clone();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => PlaceError::Full { remote, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                PlaceError::Denied { remote, source }
            }
            kind if is_absence(kind) || source.raw_os_error().is_some_and(is_absence_code) => {
                PlaceError::Unreachable { remote, source }
            }
            _ => PlaceError::Failed { remote, source },
        }
    }

    /// Whether and when trying again makes sense.
    pub fn retry(&self) -> Retry {
        match self {
            PlaceError::Unreachable { .. } | PlaceError::Failed { .. } => Retry::Later,
            PlaceError::WrongPlace { .. } | PlaceError::Denied { .. } | PlaceError::Full { .. } => {
                Retry::OncePersonActed
            }
        }
    }
}

/// Kinds of error that say that the place is not there, or not any more.
fn is_absence(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::StaleNetworkFileHandle
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::NotConnected
            | Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::TimedOut
    )
}

/// As [`is_absence`], for what the standard library has no kind for: a drive pulled out, a FUSE server that died.
fn is_absence_code(code: i32) -> bool {
    use rustix::io::Errno;
    [Errno::NODEV, Errno::NXIO, Errno::IO, Errno::NOMEDIUM, Errno::HOSTDOWN]
        .iter()
        .any(|errno| errno.raw_os_error() == code)
}
