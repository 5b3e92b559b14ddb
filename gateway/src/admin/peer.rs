//! Who is at the other end of the admin socket, as the kernel says, and whether they may speak.
//! Knows user numbers, and the machine's list of users for their names.

use std::fs::File;
use std::io::{self, Read as _};

use kms_core::region::Operator;
use tokio::net::UnixStream;
use tokio::net::unix::UCred;

const ROOT: u32 = 0;
const USERS: &str = "/etc/passwd";
const USERS_BYTES_MAX: u64 = 1 << 20;

/// Who may speak.
#[derive(Debug)]
pub(super) struct Peers {
    own: u32,
}

/// The number of a user who may not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stranger(pub(super) u32);

impl Peers {
    /// The user that this process runs as, and root.
    pub(super) fn new() -> io::Result<Self> {
        // The kernel says who is at the other end of a socket, so of one to ourselves, who we are.
        let (one, _other) = UnixStream::pair()?;
        Ok(Self { own: one.peer_cred()?.uid() })
    }

    pub(super) fn operator(&self, peer: &UCred) -> Result<Operator, Stranger> {
        let (uid, gid) = (peer.uid(), peer.gid());
        self.admit(uid)?;
        Ok(Operator { uid, gid, pid: peer.pid(), user_name: name_of(uid) })
    }

    fn admit(&self, uid: u32) -> Result<(), Stranger> {
        if uid == self.own || uid == ROOT { Ok(()) } else { Err(Stranger(uid)) }
    }
}

fn name_of(uid: u32) -> Option<String> {
    let mut text = String::new();
    File::open(USERS).ok()?.take(USERS_BYTES_MAX).read_to_string(&mut text).ok()?;
    name_in(&text, uid)
}

/// A line is `name:password:uid:...` (passwd(5)).
fn name_in(users: &str, uid: u32) -> Option<String> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = |fields: Vec<&str>| match fields.as_slice() {
        [name, _, number, ..] if number.parse() == Ok(uid) => Some((*name).to_owned()),
        _ => None,
    };
    fields.filter_map(found).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_s_own_user_and_root_may_speak() {
        let peers = Peers { own: 1000 };
        assert_eq!((peers.admit(1000), peers.admit(0)), (Ok(()), Ok(())));
        assert_eq!((peers.admit(1001), peers.admit(u32::MAX)), (Err(Stranger(1001)), Err(Stranger(u32::MAX))));
    }

    #[test]
    fn names_come_from_the_list_of_users() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\nbroken\nkms:x:1000:1000::/:/bin/false\n";
        assert_eq!(name_in(users, 1000).as_deref(), Some("kms"));
        assert_eq!(name_in(users, 0).as_deref(), Some("root"));
        assert_eq!(name_in(users, 7), None);
    }
}
