//! A file that nobody can read or alter without its key: ChaCha20-Poly1305 in the STREAM construction, pieces of 64 KiB,
//! each at its place and the last one known as the last (Hoang, Reyhanitabar, Rogaway, Vizár, 2015; the counter has 32
//! bits, highest first). A key is used for one file, so the rest of the nonce is zero.

use std::io::{self, SeekFrom};

use chacha20poly1305::aead::generic_array::GenericArray;
use chacha20poly1305::aead::stream::{DecryptorBE32, EncryptorBE32};
use chacha20poly1305::{ChaCha20Poly1305, Key};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::{Place, UploadError};

/// Bytes that are sealed together.
const PIECE: usize = 64 << 10;
/// What sealing adds to each piece.
const TAG: usize = 16;

/// How much larger a file of [`MAX_FILE`](super::MAX_FILE) is at most than what is in it.
pub const MOST_ADDED: u64 = (super::MAX_FILE / PIECE as u64 + 1) * TAG as u64;

/// A file that is being written.
pub struct Sealing {
    cipher: EncryptorBE32<ChaCha20Poly1305>,
    key: Zeroizing<[u8; 32]>,
    file: File,
    /// What does not make a piece yet.
    rest: Zeroizing<Vec<u8>>,
    digest: Sha256,
    plain: u64,
    size: u64,
}

/// A file that is whole.
pub struct Sealed {
    file: File,
    key: Zeroizing<[u8; 32]>,
    digest: [u8; 32],
    size: u64,
}

/// A file that is being read.
pub struct Opening<'a> {
    /// None after the last piece.
    cipher: Option<DecryptorBE32<ChaCha20Poly1305>>,
    file: &'a mut File,
    left: u64,
}

impl Sealing {
    /// Starts in an empty file, under a fresh key.
    pub fn new(file: File) -> Sealing {
        let key = Zeroizing::new(rand::random::<[u8; 32]>());
        let cipher = EncryptorBE32::new(Key::from_slice(&*key), &GenericArray::default());
        let (rest, digest) = (Zeroizing::new(Vec::with_capacity(2 * PIECE)), Sha256::new());
        Sealing { cipher, key, file, rest, digest, plain: 0, size: 0 }
    }

    /// How much was put in.
    pub fn len(&self) -> u64 {
        self.plain
    }

    /// Whether nothing was put in yet.
    pub fn is_empty(&self) -> bool {
        self.plain == 0
    }

    /// Puts bytes in.
    ///
    /// # Errors
    /// When the disk takes no more.
    pub async fn add(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.plain += bytes.len() as u64;
        // The last piece has a mark of its own, so a full one waits until something follows.
        while self.rest.len() + bytes.len() > PIECE {
            let (now, later) = bytes.split_at(PIECE - self.rest.len());
            self.rest.extend_from_slice(now);
            bytes = later;
            let sealed = self.cipher.encrypt_next(self.rest.as_slice()).expect("a file has few pieces");
            self.rest.clear();
            self.write(&sealed).await?;
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    /// That was all.
    ///
    /// # Errors
    /// When the disk takes no more.
    pub async fn done(self) -> io::Result<Sealed> {
        let Sealing { cipher, key, mut file, rest, mut digest, size, .. } = self;
        let sealed = cipher.encrypt_last(rest.as_slice()).expect("a piece is short");
        digest.update(&sealed);
        file.write_all(&sealed).await?;
        file.flush().await?;
        Ok(Sealed { file, key, digest: digest.finalize().into(), size: size + sealed.len() as u64 })
    }

    async fn write(&mut self, sealed: &[u8]) -> io::Result<()> {
        self.digest.update(sealed);
        self.size += sealed.len() as u64;
        self.file.write_all(sealed).await
    }
}

impl Sealed {
    /// A file that came from a place, if it is the one that lay there.
    ///
    /// # Errors
    /// [`UploadError::Wrong`] when it is another; [`UploadError::Broken`] when it cannot be read.
    pub async fn check(mut file: File, place: &Place) -> Result<Sealed, UploadError> {
        file.flush().await?;
        file.seek(SeekFrom::Start(0)).await?;
        let (mut digest, mut size) = (Sha256::new(), 0);
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            digest.update(&piece[..read]);
            size += read as u64;
        }
        if size != place.size || <[u8; 32]>::from(digest.finalize()) != place.digest {
            return Err(UploadError::Wrong);
        }
        Ok(Sealed { file, key: place.key.clone(), digest: place.digest, size })
    }

    /// Its size as it is.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What has to be told of it when it lies at this link; `None` when nothing would be fetched from there.
    pub fn place(&self, link: &str) -> Option<Place> {
        Place::new(link, self.key.clone(), self.digest, self.size)
    }

    /// The file as it is, from its beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn reader(&self) -> io::Result<File> {
        let mut file = self.file.try_clone().await?;
        file.seek(SeekFrom::Start(0)).await?;
        Ok(file)
    }

    /// Reads what is in it, from its beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn open(&mut self) -> io::Result<Opening<'_>> {
        self.file.seek(SeekFrom::Start(0)).await?;
        let cipher = DecryptorBE32::new(Key::from_slice(&*self.key), &GenericArray::default());
        Ok(Opening { cipher: Some(cipher), file: &mut self.file, left: self.size })
    }
}

impl Opening<'_> {
    /// The next bytes; `None` after the last.
    ///
    /// # Errors
    /// `InvalidData` for what was not sealed so under this key.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(mut cipher) = self.cipher.take() else { return Ok(None) };
        let length = self.left.min((PIECE + TAG) as u64);
        self.left -= length;
        let mut sealed = vec![0; usize::try_from(length).expect("a piece is short")];
        self.file.read_exact(&mut sealed).await?;
        let opened = if self.left == 0 {
            cipher.decrypt_last(sealed.as_slice())
        } else {
            let opened = cipher.decrypt_next(sealed.as_slice());
            self.cipher = Some(cipher);
            opened
        };
        opened.map(Some).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.size)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, Write as _};

    use super::*;

    async fn sealed(content: &[u8]) -> (Sealed, std::fs::File) {
        let file = tempfile::tempfile().unwrap();
        let mut sealing = Sealing::new(File::from_std(file.try_clone().unwrap()));
        for part in content.chunks(10_007) {
            sealing.add(part).await.unwrap();
        }
        assert_eq!(sealing.len(), content.len() as u64);
        (sealing.done().await.unwrap(), file)
    }

    async fn opened(sealed: &mut Sealed) -> io::Result<Vec<u8>> {
        let (mut opening, mut all) = (sealed.open().await?, Vec::new());
        while let Some(piece) = opening.next().await? {
            all.extend(piece);
        }
        Ok(all)
    }

    fn bytes(mut file: std::fs::File) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[tokio::test]
    async fn what_is_sealed_comes_back_and_is_not_in_it() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 5] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let (mut sealed, file) = sealed(&content).await;
            assert_eq!(opened(&mut sealed).await.unwrap(), content, "{length}");
            assert_eq!(opened(&mut sealed).await.unwrap(), content, "and once more");
            let stored = bytes(file.try_clone().unwrap());
            assert_eq!(stored.len() as u64, sealed.size());
            assert!(stored.len() as u64 - length as u64 <= MOST_ADDED);
            let part = &content[length.saturating_sub(16)..];
            assert!(length < 16 || !stored.windows(16).any(|window| window == part), "{length}");
            let place = sealed.place("https://upload.example/a").unwrap();
            let again = Sealed::check(File::from_std(file), &place).await;
            assert_eq!(opened(&mut again.unwrap()).await.unwrap(), content);
        }
    }

    #[tokio::test]
    async fn no_two_files_are_alike() {
        let (one, file) = sealed(b"the same").await;
        let (other, second) = sealed(b"the same").await;
        assert_ne!(bytes(file), bytes(second));
        assert_ne!(one.key, other.key);
    }

    #[tokio::test]
    async fn another_file_is_not_taken_for_it() {
        let content = vec![7; 2 * PIECE + 9];
        let (sealed_file, file) = sealed(&content).await;
        let place = sealed_file.place("https://upload.example/a").unwrap();
        let stored = bytes(file);
        let (mut altered, mut longer) = (stored.clone(), stored.clone());
        altered[PIECE + 40] ^= 1;
        longer.push(0);
        for wrong in [&altered[..], &stored[..stored.len() - 1], &longer, b""] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(wrong).unwrap();
            let checked = Sealed::check(File::from_std(file), &place).await;
            assert!(matches!(checked, Err(UploadError::Wrong)), "{} bytes", wrong.len());
        }
    }

    #[tokio::test]
    async fn pieces_that_were_cut_off_or_changed_places_do_not_open() {
        let (first, file) = sealed(&vec![7; 3 * PIECE]).await;
        let stored = bytes(file);
        let whole = PIECE + TAG;
        let (one, rest) = stored.split_at(whole);
        let (two, three) = rest.split_at(whole);
        for wrong in [[one, two].concat(), [two, one, three].concat(), one.to_vec()] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&wrong).unwrap();
            // Whoever names a place could name this one's digest.
            let (digest, size) = (Sha256::digest(&wrong).into(), wrong.len() as u64);
            let place = Place::new("https://upload.example/a", first.key.clone(), digest, size).unwrap();
            let mut checked = Sealed::check(File::from_std(file), &place).await.unwrap();
            assert_eq!(opened(&mut checked).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
