//! [`search`]: find, ask, write and show.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use callsoon::helpers as hp;
use callsoon::{Error, ErrorKind, Result, Semaphore, running_loop};

use crate::arguments::Arguments;
use crate::client::{Discovery, News, Remote, Rounds, Session, Sighting, inquire};
use crate::interrupt::on_interrupt;
use crate::protocol::{Message, Serial};
use crate::question::on_question;
use crate::report::{Board, Ending, Latencies, Outcome, Screen};
use crate::simulation::{Health, Network, Population};
use crate::stop::Stop;
use crate::store::Store;

/// The number of devices that are asked at a time. The answers of all of them must fit into what the
/// system keeps for a socket until they are read.
const AT_A_TIME: usize = 500;

/// The devices to search for, and where to search.
struct Target {
    everyone: SocketAddr,
    /// The devices there should be; empty where that isn't known.
    expected: BTreeSet<Serial>,
    /// Those of them that don't answer.
    dead: BTreeSet<Serial>,
    network: Option<Network>,
}

/// Looks for what `arguments` say.
///
/// What goes wrong after the search has begun is in the outcome, beside what was learnt.
///
/// # Errors
///
/// A socket's that can't be had; the cancellation.
pub async fn search(arguments: Arguments) -> Result<Outcome> {
    on_question()?;
    let stop = Stop::new()?;
    let interrupted = stop.clone();
    on_interrupt(move || interrupted.end(Ending::Interrupted))?;
    let late = stop.clone();
    let limit =
        running_loop()?.call_later(arguments.seconds, move || late.end(Ending::OutOfTime))?;
    let target = Target::new(&arguments)?;
    let outcome = Search::new(&arguments, stop, target)?.run().await;
    limit.cancel();
    outcome
}

impl Target {
    fn new(arguments: &Arguments) -> Result<Target> {
        if let Some(everyone) = arguments.target {
            let (expected, dead) = Default::default();
            return Ok(Target { everyone, expected, dead, network: None });
        }
        let population = Population::new(arguments.devices, arguments.seed, arguments.loss);
        let serials = |chosen: fn(Health) -> bool| {
            let residents = population.residents().iter();
            let chosen = residents.filter(|resident| chosen(resident.health));
            chosen.map(|resident| resident.device.serial).collect()
        };
        let (expected, dead) = (serials(|_| true), serials(|health| health != Health::Well));
        let network = Network::of_many_sockets(population)?;
        Ok(Target { everyone: network.door()?, expected, dead, network: Some(network) })
    }

    fn words(&self) -> String {
        match &self.network {
            None => format!("lights at {}", self.everyone),
            Some(network) => format!(
                "{} simulated lights on {} sockets at {}",
                self.expected.len(),
                network.sockets(),
                self.everyone
            ),
        }
    }
}

/// All that the parts of a search have in common.
struct Search {
    orders: Vec<Message>,
    database: PathBuf,
    stop: Stop,
    target: Target,
    session: Session,
    rounds: Rounds,
    turns: Rc<Semaphore>,
    board: RefCell<Board>,
    screen: RefCell<Screen>,
    began: Duration,
}

impl Search {
    fn new(arguments: &Arguments, stop: Stop, target: Target) -> Result<Rc<Search>> {
        // 0 and 1 mean something else to devices.
        let source = fastrand::u32(2..);
        Ok(Rc::new(Search {
            orders: arguments.orders(),
            database: arguments.database(),
            session: Session::open(target.everyone, source)?,
            stop,
            rounds: Rounds::default(),
            turns: Rc::new(Semaphore::new(AT_A_TIME)),
            board: RefCell::new(Board::new(target.expected.clone())),
            screen: RefCell::default(),
            target,
            began: running_loop()?.time(),
        }))
    }

    /// The search, and what runs beside it: the simulated network, the ear of the session, the
    /// screen.
    async fn run(self: Rc<Self>) -> Result<Outcome> {
        let over = hp::create_future::<()>();
        let outcome = hp::TaskHolder::new(&over).scope(async |beside| {
            let target = self.target.words();
            self.screen.borrow_mut().say(&format!("looking for {target}"));
            if let Some(network) = &self.target.network {
                let network = network.clone().run();
                beside.add(self.stop.clone().watch(network)).set_name("network");
            }
            let session = self.session.clone().listen();
            beside.add(self.stop.clone().watch(session)).set_name("session");
            beside.add(self.stop.clone().watch(self.clone().show())).set_name("screen");
            let never = hp::create_future::<()>();
            let outcome = Store::scope(&self.database, target, &never, async |store| {
                self.ask_and_write(store).await
            });
            let outcome = outcome.await?;
            over.cancel();
            Ok(outcome)
        });
        let outcome = outcome.await;
        self.screen.borrow_mut().clear();
        outcome
    }

    async fn ask_and_write(&self, store: &Store) -> Result<Outcome> {
        let never = hp::create_future::<()>();
        let writes = hp::TaskHolder::new(&never);
        if let Some(error) = store.failure() {
            let words = format!("{}; what is found is only shown", error.message());
            self.screen.borrow_mut().say(&words);
        }
        let asked = writes.scope(async |writes| self.ask(store, writes).await);
        // Also what fails leaves what was learnt before, which is written and shown.
        self.stop.clone().watch(asked).await?;
        let ending = self.stop.ending()?;
        if ending == Ending::Complete {
            self.board.borrow_mut().give_up_the_unseen();
        }
        let unanswered = self.board.borrow().unanswered(&self.target.dead);
        store.write_unanswered(unanswered).await?;
        store.write_ending(ending).await?;
        self.outcome(store, ending)
    }

    /// Asks each device as it is seen, until there are no more.
    async fn ask(&self, store: &Store, writes: &hp::TaskHolder) -> Result<()> {
        // The errors are in the results, too, and are handled there.
        let seen_in_results = |_: hp::StreamResult<News, Sighting>| {};
        let streamer = hp::ResultStreamer::with_error_catcher(self.stop.future(), seen_in_results);
        streamer
            .scope(async |streamer| {
                let discovery = Discovery {
                    session: self.session.clone(),
                    expected: self.board.borrow().expected(),
                    rounds: self.rounds.clone(),
                };
                let last = streamer.clone();
                let adding = hp::Adding::new().on_done(move |_| last.no_more_work());
                let stop = Rc::new(self.stop.future().clone());
                let discovery = streamer.add_generator(discovery.run(stop), adding).await?;
                discovery.set_name("discovery");
                let mut results = streamer.iter();
                while let Some(result) = results.next().await? {
                    self.hear(result, streamer, store, writes).await?;
                }
                Ok(())
            })
            .await
    }

    async fn hear(
        &self,
        result: hp::StreamResult<News, Sighting>,
        streamer: &hp::ResultStreamer<News, Sighting>,
        store: &Store,
        writes: &hp::TaskHolder,
    ) -> Result<()> {
        match (result.value, result.context.get()) {
            (hp::StreamValue::Value(News::Seen(sighting)), _) => {
                self.board.borrow_mut().see(sighting);
                let remote = Remote::new(self.session.clone(), sighting);
                let (turns, orders) = (self.turns.clone(), self.orders.clone());
                let inquiry = async move {
                    let _turn = turns.permit().await?;
                    inquire(remote, orders).await.map(News::Told)
                };
                let adding = hp::Adding::new().context(sighting);
                let inquiry = streamer.add_coroutine(inquiry, adding).await?;
                inquiry.set_name(format!("inquiry of {}", sighting.serial));
            }
            (hp::StreamValue::Value(News::Told(told)), _) => {
                let written = store.write_told(told.clone());
                writes.add(written);
                self.board.borrow_mut().tell(told);
            }
            (hp::StreamValue::Error(error), Some(sighting))
                if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Io) =>
            {
                self.board.borrow_mut().give_up(sighting.serial, error.message());
            }
            // Cancelled because the search ends.
            (hp::StreamValue::Error(error), _) if error.is_cancelled() => {}
            (hp::StreamValue::Error(error), _) => return Err(error),
            (hp::StreamValue::GeneratorComplete, _) => {}
        }
        Ok(())
    }

    /// Shows the board every so often, for as long as it is let.
    async fn show(self: Rc<Self>) -> Result<()> {
        let pace = self.screen.borrow().pace();
        hp::tick(pace, hp::TickerOptions::default())
            .scope(async |ticker| {
                while ticker.next().await?.is_some() {
                    self.screen.borrow_mut().show(&self.board.borrow());
                }
                Ok(())
            })
            .await
    }

    fn outcome(&self, store: &Store, ending: Ending) -> Result<Outcome> {
        let words = |error: Error| error.message();
        let board = self.board.borrow();
        let took = running_loop()?.time().saturating_sub(self.began);
        Ok(Outcome {
            ending,
            seconds: took.as_secs_f64(),
            expected: board.expected(),
            seen: board.seen(),
            rounds: self.rounds.get(),
            answered: board.told().values().cloned().collect(),
            unanswered: board.unanswered(&self.target.dead),
            latency_ms: Latencies::of(board.told().values().map(|told| told.latency).collect()),
            packets: self.session.tally(),
            database: self.database.clone(),
            run: store.run(),
            unwritten: store.failure().map(words),
            failure: self.stop.failure().map(words),
            groups: board.groups(),
        })
    }
}
