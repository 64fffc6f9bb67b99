//! [`simulate`]: only the devices.

use callsoon::Result;
use callsoon::helpers as hp;

use crate::arguments::Arguments;
use crate::interrupt::on_interrupt;
use crate::question::on_question;
use crate::report::Screen;
use crate::simulation::{Health, Network, Population};

/// Simulates devices at one port until it is interrupted.
///
/// # Errors
///
/// The socket's.
pub async fn simulate(arguments: Arguments) -> Result<()> {
    let population = Population::new(arguments.devices, arguments.seed, arguments.loss);
    let dead: Vec<String> = population
        .residents()
        .iter()
        .filter(|resident| resident.health != Health::Well)
        .map(|resident| resident.device.serial.to_string())
        .collect();
    on_question()?;
    let interrupted = hp::create_future::<()>();
    let interrupt = interrupted.clone();
    on_interrupt(move || if interrupt.done() { Ok(()) } else { interrupt.set_result(()) })?;
    let network = Network::of_one_port(population, arguments.port)?;
    let mut screen = Screen::new();
    screen.say(&format!("simulating {} lights at {}", arguments.devices, network.door()?));
    if !dead.is_empty() {
        screen.say(&format!("dead among them: {}", dead.join(" ")));
    }
    let running = callsoon::create_task(network.run());
    let ends: [&dyn callsoon::AnyFuture; 2] = [&interrupted, &running];
    hp::wait_for_first_future(ends).await?;
    if running.done() {
        return running.await;
    }
    hp::cancel_futures_and_wait([&running]).await
}
