//! [`Discovery`]: which devices there are.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::helpers as hp;
use callsoon::{AnyFuture, AsyncGenerator, Result, generator};

use super::News;
use super::session::Session;

/// The shortest time between two broadcasts that ask all devices whether they are there.
const EVERY: Duration = Duration::from_millis(150);

/// Time to hear the answer of one device. Where there are many, they are asked less often, so
/// that they aren't asked again while they still answer.
const AN_ANSWER: Duration = Duration::from_micros(40);

/// After so many rounds without a device that wasn't known, none is looked for any more. At a
/// loss of 20 percent in both directions one device in two hundred thousand stays unseen.
const QUIET_ROUNDS: u32 = 12;

/// The number of broadcasts so far, readable while the discovery runs.
pub type Rounds = Rc<Cell<u32>>;

/// A search for devices.
#[derive(Debug)]
pub struct Discovery {
    /// By which they are asked.
    pub session: Session,
    /// The number of devices, if that is known: the search ends with the last.
    pub expected: Option<usize>,
    /// Counts the rounds.
    pub rounds: Rounds,
}

impl Discovery {
    /// Yields each device once, when it is seen for the first time, until all that are expected
    /// were, until there are none for a while, or until `stop` is done.
    ///
    /// It fails with the socket's error.
    pub fn run(self, stop: Rc<dyn AnyFuture>) -> AsyncGenerator<News> {
        generator(async move |found| {
            let options = hp::TickerOptions {
                final_future: Some(stop),
                min_wait: hp::MinWait::None,
                ..hp::TickerOptions::default()
            };
            let (mut seen, mut quiet) = (0_u32, 0);
            hp::tick(EVERY, options)
                .scope(async |ticker| {
                    let mut every = EVERY;
                    while ticker.next().await?.is_some() {
                        for sighting in self.session.sightings() {
                            (seen, quiet) = (seen + 1, 0);
                            found.give(News::Seen(sighting)).await?;
                        }
                        if self.expected == Some(seen as usize) || quiet == QUIET_ROUNDS {
                            break;
                        }
                        if AN_ANSWER * seen > every {
                            every = AN_ANSWER * seen;
                            ticker.change_after(every)?;
                        }
                        quiet += 1;
                        self.call().await?;
                    }
                    Ok(())
                })
                .await
        })
    }

    async fn call(&self) -> Result<()> {
        let round = self.rounds.get();
        self.rounds.set(round + 1);
        let [sequence, ..] = round.to_le_bytes();
        self.session.call_everyone(sequence).await
    }
}
