//! What is said at a place where two ends meet: SOCKS version 5, with a name that only the two know in place of a host.
//!
//! Source: RFC 1928, as XEP-0065 1.8.2, section 5.3.2, narrows it: no login, CONNECT, a domain name of 40 letters, port 0.

use std::io;

use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN: u8 = 3;
const IPV6: u8 = 4;
const SUCCEEDED: u8 = 0;

/// The name of a meeting: the stream's and both addresses, the one who offered first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// The name of this stream.
    pub(super) fn new(stream: &str, offers: &str, takes: &str) -> Name {
        Name(hex::encode(Sha1::digest([stream, offers, takes].concat())))
    }

    /// The request for it, or, with another command, the answer.
    fn message(&self, command: u8) -> Vec<u8> {
        let length = u8::try_from(self.0.len()).expect("it has 40 letters");
        [&[VERSION, command, 0, DOMAIN, length], self.0.as_bytes(), &[0, 0]].concat()
    }
}

/// Comes to a place and asks for a meeting.
pub(super) async fn come<S: AsyncRead + AsyncWrite + Unpin>(place: &mut S, name: &Name) -> io::Result<()> {
    place.write_all(&[VERSION, 1, NO_LOGIN]).await?;
    let mut chosen = [0; 2];
    place.read_exact(&mut chosen).await?;
    expect(chosen == [VERSION, NO_LOGIN])?;
    place.write_all(&name.message(CONNECT)).await?;
    let mut answer = [0; 4];
    place.read_exact(&mut answer).await?;
    expect(answer[..2] == [VERSION, SUCCEEDED])?;
    // Where it says that we are is nothing to us.
    let length = match answer[3] {
        IPV4 => 4,
        IPV6 => 16,
        DOMAIN => usize::from(place.read_u8().await?),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    place.read_exact(&mut vec![0; length + 2]).await.map(drop)
}

/// Lets in who comes and asks for this meeting; everybody else gets an error.
pub(super) async fn let_in<S: AsyncRead + AsyncWrite + Unpin>(guest: &mut S, name: &Name) -> io::Result<()> {
    let mut hello = [0; 2];
    guest.read_exact(&mut hello).await?;
    let mut logins = vec![0; usize::from(hello[1])];
    guest.read_exact(&mut logins).await?;
    expect(hello[0] == VERSION && logins.contains(&NO_LOGIN))?;
    guest.write_all(&[VERSION, NO_LOGIN]).await?;
    let wanted = name.message(CONNECT);
    let mut asked = vec![0; wanted.len()];
    guest.read_exact(&mut asked).await?;
    expect(asked == wanted)?;
    guest.write_all(&name.message(SUCCEEDED)).await?;
    guest.flush().await
}

fn expect(holds: bool) -> io::Result<()> {
    if holds { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    #[tokio::test]
    async fn two_meet_by_their_name_and_others_do_not() {
        let name = Name::new("t1", "a@p.test/x", "b@p.test/y");
        for (asks, meets) in [
            (name.clone(), true),
            (Name::new("t2", "a@p.test/x", "b@p.test/y"), false),
            (Name::new("t1", "b@p.test/y", "a@p.test/x"), false),
        ] {
            let (mut near, mut far) = duplex(64);
            let host = async {
                let let_in = let_in(&mut far, &name).await;
                // Else the guest would wait for its answer.
                drop(far);
                let_in
            };
            let (came, let_in) = tokio::join!(come(&mut near, &asks), host);
            assert_eq!((came.is_ok(), let_in.is_ok()), (meets, meets));
        }
    }

    #[tokio::test]
    async fn an_answer_may_say_where_we_are_in_any_way() {
        for (answer, fine) in [
            (&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80][..], true),
            (&[&[5, 0, 0, 4][..], &[0; 18]].concat(), true),
            (&[5, 0, 0, 3, 2, b'h', b'i', 0, 0], true),
            (&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0], false),
            (&[5, 0, 0, 9, 0, 0, 0, 0, 0, 0], false),
            (&[4, 0, 0, 1, 0, 0, 0, 0, 0, 0], false),
            (&[5, 0, 0], false),
        ] {
            let (mut near, mut far) = duplex(256);
            far.write_all(&[&[5, 0][..], answer].concat()).await.unwrap();
            far.shutdown().await.unwrap();
            let came = come(&mut near, &Name::new("t", "a", "b")).await;
            assert_eq!(came.is_ok(), fine, "{answer:?}");
        }
    }
}
