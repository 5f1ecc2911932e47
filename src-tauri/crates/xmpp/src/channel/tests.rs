use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

struct Pair {
    alice: DeviceKeys,
    bob: DeviceKeys,
    binding: Binding,
}

impl Pair {
    fn new() -> Pair {
        let (alice, bob) = (DeviceKeys::generate(), DeviceKeys::generate());
        let party = |keys: &DeviceKeys, address: &str| Party {
            device: keys.public().id(),
            address: address.parse().unwrap(),
        };
        let binding = Binding {
            carrier: Carrier::InBand,
            stream: "t1".to_owned(),
            initiator: party(&alice, "alice@p.test/trib-1"),
            responder: party(&bob, "bob@e.test/trib-2"),
        };
        Pair { alice, bob, binding }
    }

    async fn opens(&self, stream: DuplexStream) -> Result<Ends, ChannelError> {
        initiate(stream, &self.alice, &self.bob.public(), &self.binding, LIMIT).await
    }

    async fn accepts(&self, stream: DuplexStream) -> Result<Ends, ChannelError> {
        accept(stream, &self.bob, &self.alice.public(), &self.binding, LIMIT).await
    }
}

type Ends = (Sender<WriteHalf<DuplexStream>>, Receiver<ReadHalf<DuplexStream>>);

async fn all_data(receiver: &mut Receiver<ReadHalf<DuplexStream>>) -> Result<Vec<u8>, ChannelError> {
    let mut all = Vec::new();
    while let Some(frame) = receiver.next().await? {
        if let Frame::Data(bytes) = frame {
            all.extend(bytes);
        }
    }
    Ok(all)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn bytes_arrive_in_both_directions(
        there in proptest::collection::vec(any::<u8>(), 0..100_000),
        back in proptest::collection::vec(any::<u8>(), 0..3_000),
        pipe in 1_usize..5_000,
    ) {
        runtime().block_on(async {
            let pair = Pair::new();
            let (near, far) = duplex(pipe);
            let (near, far) = tokio::try_join!(pair.opens(near), pair.accepts(far)).unwrap();
            let ((mut to_bob, mut from_bob), (mut to_alice, mut from_alice)) = (near, far);
            let send = async {
                to_bob.send(Frame::Data(there.clone())).await?;
                to_bob.end().await
            };
            let answer = async {
                to_alice.send(Frame::Padding).await?;
                to_alice.send(Frame::Data(back.clone())).await?;
                to_alice.end().await
            };
            let (_, _, got, answered) =
                tokio::try_join!(send, answer, all_data(&mut from_alice), all_data(&mut from_bob)).unwrap();
            assert_eq!(got, there);
            assert_eq!(answered, back);
        });
    }

    /// A byte changed, taken out, put in or doubled anywhere: never anything but a beginning of what was sent.
    #[test]
    fn what_is_altered_is_not_believed(at in 0_usize..900, how in 0_u8..4, flip in 1_u8..=255) {
        runtime().block_on(async {
            let pair = Pair::new();
            let (near, mut tap) = duplex(1 << 16);
            let (mut untap, far) = duplex(1 << 16);
            let frames: Vec<Frame> = (0..8).map(|byte| Frame::Data(vec![byte; 100])).collect();
            let sending = async {
                let (mut sender, _receiver) = pair.opens(near).await?;
                for frame in &frames {
                    sender.send(frame.clone()).await?;
                }
                sender.end().await
            };
            // The handshake passes as it is; then the wire is the attacker's.
            let altering = async {
                let mut opening = [0; 2 + MESSAGE];
                tap.read_exact(&mut opening).await.unwrap();
                untap.write_all(&opening).await.unwrap();
                untap.read_exact(&mut opening).await.unwrap();
                tap.write_all(&opening).await.unwrap();
                let mut wire = Vec::new();
                tap.read_to_end(&mut wire).await.unwrap();
                let at = at % wire.len();
                match how {
                    0 => wire[at] ^= flip,
                    1 => drop(wire.remove(at)),
                    2 => wire.insert(at, flip),
                    _ => wire.truncate(at),
                }
                untap.write_all(&wire).await.unwrap();
                drop(untap);
                Ok(())
            };
            let receiving = async {
                let (_sender, mut receiver) = pair.accepts(far).await?;
                let mut got = Vec::new();
                let end = loop {
                    match receiver.next().await {
                        Ok(Some(frame)) => got.push(frame),
                        end => break end,
                    }
                };
                assert!(end.is_err(), "an altered stream must not seem whole");
                assert!(frames.starts_with(&got), "and nothing of it is believed but its true beginning");
                Ok(())
            };
            tokio::try_join!(sending, altering, receiving).unwrap();
        });
    }

    /// A stranger who sends whatever comes to mind gets no channel, and no answer but the end.
    #[test]
    fn garbage_opens_nothing(garbage in proptest::collection::vec(any::<u8>(), 0..400)) {
        runtime().block_on(async {
            let pair = Pair::new();
            let (mut stranger, far) = duplex(1 << 16);
            stranger.write_all(&garbage).await.unwrap();
            stranger.shutdown().await.unwrap();
            let refused = pair.accepts(far).await;
            assert!(matches!(refused, Err(ChannelError::Forged | ChannelError::Cut)));
            let mut answer = Vec::new();
            stranger.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"", "a stranger learns nothing, not even that somebody is there");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn the_silent_are_not_waited_for() {
    let pair = Pair::new();
    let (near, _far) = duplex(64);
    assert!(matches!(pair.opens(near).await, Err(ChannelError::Silent)));
    let (_near, far) = duplex(64);
    assert!(matches!(pair.accepts(far).await, Err(ChannelError::Silent)));
}

#[tokio::test]
async fn recorded_frames_do_not_fit_again() {
    let pair = Pair::new();
    let (near, mut tap) = duplex(1 << 16);
    let (mut untap, far) = duplex(1 << 16);
    let sending = async {
        let (mut sender, receiver) = pair.opens(near).await?;
        sender.send(Frame::Data(b"once".to_vec())).await?;
        sender.end().await.map(|()| receiver)
    };
    let replaying = async {
        let mut opening = [0; 2 + MESSAGE];
        tap.read_exact(&mut opening).await.unwrap();
        untap.write_all(&opening).await.unwrap();
        untap.read_exact(&mut opening).await.unwrap();
        tap.write_all(&opening).await.unwrap();
        let mut first = vec![0; 2 + 1 + 4 + 16];
        tap.read_exact(&mut first).await.unwrap();
        untap.write_all(&[first.clone(), first].concat()).await.unwrap();
        Ok(())
    };
    let receiving = async {
        let (_sender, mut receiver) = pair.accepts(far).await?;
        assert_eq!(receiver.next().await?, Some(Frame::Data(b"once".to_vec())));
        assert!(matches!(receiver.next().await, Err(ChannelError::Forged)), "each message counts once");
        Ok(())
    };
    tokio::try_join!(sending, replaying, receiving).unwrap();
}

#[tokio::test]
async fn a_frame_that_was_begun_is_not_lost_with_its_sender() {
    let pair = Pair::new();
    let (near, far) = duplex(100);
    let (near, far) = tokio::try_join!(pair.opens(near), pair.accepts(far)).unwrap();
    let ((mut sender, _r), (_s, mut receiver)) = (near, far);
    let large = Frame::Data(vec![7; 5000]);
    // Nobody reads: it is begun, and dropped before its end.
    let begun = tokio::time::timeout(Duration::from_millis(10), sender.send(large.clone())).await;
    assert!(begun.is_err(), "the pipe is too small for it");
    let rest = async {
        let first = receiver.next().await?;
        Ok::<_, ChannelError>((first, receiver.next().await?))
    };
    let (_, came) = tokio::try_join!(sender.end(), rest).unwrap();
    assert_eq!(came, (Some(large), Some(Frame::End)));
}
