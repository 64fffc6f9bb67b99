//! Simulated devices, without sockets: what they answer, and that all chance is in the seed.

use std::time::Duration;

use fleet::protocol::{Color, Header, Message, Packet, Serial};
use fleet::simulation::{Health, Population, Resident, Weather};

const ASKER: u32 = 99;
const PORT: u16 = 4000;

fn first() -> Resident {
    Population::new(1, 7, 0).residents()[0].clone()
}

/// Returns the first device's answers to `message`, without the headers, which are checked here.
fn said(resident: &mut Resident, header: Header, message: Message) -> Vec<Message> {
    let answers = resident.device.hear(&Packet { header, message }, PORT);
    let own = Header::new(ASKER, resident.device.serial, header.sequence);
    assert!(answers.iter().all(|answer| answer.header == own), "{answers:?}");
    answers.into_iter().map(|answer| answer.message).collect()
}

#[test]
fn a_device_answers_what_it_is_asked() {
    let mut resident = first();
    let device = resident.device.clone();
    let header = Header::new(ASKER, device.serial, 5);
    let echoing = [3; 64];
    let state =
        Message::LightState { color: device.color, power: device.power, label: device.label };
    for (asked, answer) in [
        (Message::GetService, Message::StateService { service: 1, port: u32::from(PORT) }),
        (Message::GetPower, Message::StatePower { level: device.power }),
        (Message::LightGetPower, Message::LightStatePower { level: device.power }),
        (Message::GetLabel, Message::StateLabel { label: device.label }),
        (Message::GetVersion, Message::StateVersion { vendor: 1, product: device.product }),
        (Message::EchoRequest { echoing }, Message::EchoResponse { echoing }),
        (Message::LightGet, state),
        (Message::Other { kind: 701 }, Message::StateUnhandled { kind: 701 }),
    ] {
        assert_eq!(said(&mut resident, header, asked), [answer]);
    }
    let group = said(&mut resident, header, Message::GetGroup);
    let [Message::StateGroup { group, label, .. }] = group[..] else { panic!("{group:?}") };
    assert_eq!((group, label), (device.group.id, device.group.label));
    assert_eq!(said(&mut resident, header, Message::Acknowledgement), []);
    assert_eq!(resident.device, device, "questions change nothing");
}

#[test]
fn what_a_device_is_told_is_acknowledged_and_answered_as_wanted() {
    let color = Color { hue: 1, saturation: 2, brightness: 3, kelvin: 4000 };
    type State = fn(&Resident) -> Message;
    let orders: [(Message, State); 3] = [
        (Message::SetPower { level: 65_535 }, |resident| Message::StatePower {
            level: resident.device.power,
        }),
        (Message::LightSetPower { level: 0, duration: 9 }, |resident| Message::LightStatePower {
            level: resident.device.power,
        }),
        (Message::SetColor { color, duration: 9 }, |resident| Message::LightState {
            color: resident.device.color,
            power: resident.device.power,
            label: resident.device.label,
        }),
    ];
    for (order, state) in orders {
        let mut resident = first();
        let quiet = Header::new(ASKER, resident.device.serial, 1);
        let ack = Header { ack_required: true, ..quiet };
        let both = Header { res_required: true, ..ack };
        assert_eq!(said(&mut resident, quiet, order.clone()), []);
        assert_eq!(said(&mut resident, ack, order.clone()), [Message::Acknowledgement]);
        let expected = [Message::Acknowledgement, state(&resident)];
        assert_eq!(said(&mut resident, both, order.clone()), expected);
    }
    let mut resident = first();
    let header = Header::new(ASKER, resident.device.serial, 1);
    said(&mut resident, header, Message::SetPower { level: 77 });
    said(&mut resident, header, Message::SetColor { color, duration: 0 });
    assert_eq!((resident.device.power, resident.device.color), (77, color));
}

#[test]
fn a_device_hears_what_is_said_to_it_or_to_everyone() {
    let mut resident = first();
    let everyone = Header { tagged: true, ..Header::new(ASKER, Serial::EVERYONE, 1) };
    assert_eq!(said(&mut resident, everyone, Message::GetService).len(), 1);
    let another = Header::new(ASKER, Serial::simulated(2), 1);
    let ack = Header { ack_required: true, ..another };
    assert_eq!(said(&mut resident, ack, Message::SetPower { level: 5 }), []);
    assert_ne!(resident.device.power, 5);
}

#[test]
fn chance_follows_from_the_seed() {
    let history = |seed: u64| {
        let mut weather = Weather::new(seed, 20);
        (0..200).map(|_| (weather.carries(), weather.arrivals())).collect::<Vec<_>>()
    };
    assert_eq!(history(3), history(3));
    assert_ne!(history(3), history(4));
    let devices = |seed: u64| {
        let all = Population::new(100, seed, 20);
        let all = all.residents().iter();
        all.map(|resident| (resident.device.clone(), resident.health)).collect::<Vec<_>>()
    };
    assert_eq!(devices(3), devices(3));
    assert_ne!(devices(3), devices(4));
}

#[test]
fn weather_loses_delays_and_doubles_as_it_was_told() {
    let arrivals = |loss: u32| {
        let mut weather = Weather::new(11, loss);
        (0..10_000).map(|_| weather.arrivals()).collect::<Vec<_>>()
    };
    let lost = |loss: u32| arrivals(loss).iter().filter(|times| times.is_empty()).count();
    assert_eq!((lost(0), lost(100)), (0, 10_000));
    assert!((1_800..2_200).contains(&lost(20)), "{}", lost(20));
    let doubled = arrivals(0).iter().filter(|times| times.len() == 2).count();
    assert!((300..700).contains(&doubled), "{doubled}");
    let (least, most) = (Duration::from_millis(2), Duration::from_millis(40));
    assert!(arrivals(0).iter().flatten().all(|after| (least..=most).contains(after)));
}

#[test]
fn a_few_devices_are_dead_each_in_its_way() {
    let mut population = Population::new(200, 1, 0);
    let dead: Vec<usize> =
        (0..200).filter(|number| population.residents()[*number].health != Health::Well).collect();
    assert_eq!(dead.len(), 5);
    let mut found = Vec::new();
    for number in dead {
        let resident = population.resident(number);
        let header = Header::new(ASKER, resident.device.serial, 1);
        let asked = |message| Packet { header, message };
        let there = !resident.answers(&asked(Message::GetService), PORT).is_empty();
        assert_eq!(resident.answers(&asked(Message::LightGet), PORT), []);
        assert_eq!(there, resident.health == Health::Frozen);
        found.push(there);
    }
    assert!(found.contains(&true) && found.contains(&false));
}

#[test]
fn each_device_is_found_by_its_serial() {
    let population = Population::new(300, 1, 0);
    for (number, resident) in population.residents().iter().enumerate() {
        assert_eq!(population.number(resident.device.serial), Some(number));
    }
    assert_eq!(population.number(Serial::EVERYONE), None);
}
