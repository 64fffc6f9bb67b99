//! [`is_own`]: tells the callbacks of asyncio from those of a program by the names of their types.

/// Where a name is declared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// In the crate, its helpers excepted.
    Asyncio,
    /// In the standard library, or in the language.
    Standard,
    /// In another crate, or in the helpers: a callback of these stands for one of a program.
    Program,
}

const OWN_CRATE: &str = env!("CARGO_CRATE_NAME");

/// The beginnings of types for which a crate may implement another crate's trait if the type that follows is
/// its own.
const WRAPPERS: [&str; 6] = ["&", "mut ", "dyn ", "(dyn ", "alloc::boxed::Box<", "core::pin::Pin<"];

/// Returns whether a callback with a type of this name belongs to the crate's asyncio. The name of a closure
/// begins with that of the function that it is written in.
pub(super) fn is_own(name: &str) -> bool {
    origin(name) == Origin::Asyncio
}

fn origin(mut name: &str) -> Origin {
    while let Some(inner) = WRAPPERS.iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
        name = inner;
    }
    if let Some(qualified) = name.strip_prefix('<') {
        return origin_of_implementation(qualified);
    }
    let (first, rest) = name.split_once("::").unwrap_or_default();
    match first {
        OWN_CRATE if !rest.starts_with("helpers::") => Origin::Asyncio,
        "core" | "alloc" | "std" => Origin::Standard,
        _ if is_identifier(first) => Origin::Program,
        _ => Origin::Standard,
    }
}

/// The origin of the code in `Type as Trait>::...`. It stands in the crate of the one or the other.
fn origin_of_implementation(qualified: &str) -> Origin {
    let (implementor, implemented) = halves(qualified);
    match (origin(implementor), origin(implemented)) {
        (Origin::Program, _) | (_, Origin::Program) => Origin::Program,
        (Origin::Asyncio, _) | (_, Origin::Asyncio) => Origin::Asyncio,
        (Origin::Standard, Origin::Standard) => Origin::Standard,
    }
}

/// Splits `Type as Trait>::...` into the type and the rest. Arguments in angle brackets may have an ` as ` and a
/// `->` of their own. A type without a trait has an empty rest.
fn halves(qualified: &str) -> (&str, &str) {
    let mut depth = 0_usize;
    for (at, letter) in qualified.char_indices() {
        let (before, after) = qualified.split_at(at);
        match letter {
            '<' => depth += 1,
            '>' if before.ends_with('-') => {}
            '>' if depth == 0 => return (before, ""),
            '>' => depth -= 1,
            ' ' if depth == 0 => {
                if let Some(implemented) = after.strip_prefix(" as ") {
                    return (before, implemented);
                }
            }
            _ => {}
        }
    }
    (qualified, "")
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn functions_and_their_closures() {
        assert!(is_own("callsoon::asyncio::future::Timer::begin::{{closure}}"));
        assert!(is_own(
            "callsoon::asyncio::core::Callback<program::Value as u8>::run::{{closure}}"
        ));
        for name in [
            "program::main::{{closure}}::{{closure}}",
            "callsoon_extra::asyncio::main::{{closure}}",
            "callsoon::helpers::ticker::ATicker::begin::{{closure}}",
            "core::mem::drop<callsoon::asyncio::Task<()>>",
            "fn(callsoon::Task<()>)",
            "program::asyncio::<impl program::Later for callsoon::asyncio::Task<()>>::later::{{closure}}",
            "",
            "<",
        ] {
            assert!(!is_own(name), "{name}");
        }
    }

    #[test]
    fn implementations_of_the_crate() {
        for name in [
            "<callsoon::asyncio::generator::Owner<u8> as core::ops::drop::Drop>::drop::{{closure}}",
            "<callsoon::net::TlsTransport as callsoon::net::Transport>::close::{{closure}}",
            "<alloc::vec::Vec<u8> as callsoon::asyncio::Awaited>::begin::{{closure}}",
            "<u8 as callsoon::asyncio::Awaited>::begin::{{closure}}",
            "<(program::A, u8) as callsoon::asyncio::Awaited>::begin::{{closure}}",
            "<dyn callsoon::net::Transport>::abort::{{closure}}",
            "<&callsoon::asyncio::Task<u8> as core::ops::drop::Drop>::drop::{{closure}}",
            "<callsoon::asyncio::Owner<<program::A as program::B>::C> as core::ops::Drop>::drop::{{closure}}",
            "<callsoon::asyncio::Owner<fn(u8) -> program::A> as core::ops::Drop>::drop::{{closure}}",
            "<<callsoon::asyncio::A as core::ops::Drop>::drop::{{closure}} as core::ops::FnOnce<()>>::call_once",
            "<callsoon::asyncio::Owner<callsoon::helpers::Queue<u8>> as core::ops::Drop>::drop::{{closure}}",
        ] {
            assert!(is_own(name), "{name}");
        }
    }

    #[test]
    fn implementations_of_a_program() {
        for name in [
            "<callsoon::asyncio::Task<()> as program::Later>::later::{{closure}}",
            "<callsoon::asyncio::Task<fn() -> u8> as program::Later>::later::{{closure}}",
            "<callsoon::asyncio::Task<<u8 as callsoon::A>::B> as program::Later>::later::{{closure}}",
            "<program::Line as callsoon::net::Protocol>::data_received::{{closure}}",
            "<&mut program::Line as callsoon::net::Protocol>::data_received::{{closure}}",
            "<alloc::boxed::Box<dyn program::Line> as callsoon::net::Protocol>::eof_received::{{closure}}",
            "<program::Line<callsoon::Task<()>> as core::ops::drop::Drop>::drop::{{closure}}",
            "<callsoon::helpers::Owner as core::ops::drop::Drop>::drop::{{closure}}",
            "<callsoon::helpers::Owner as callsoon::asyncio::Awaited>::begin::{{closure}}",
            "<callsoon::asyncio::Task<()> as callsoon::helpers::Held>::hold::{{closure}}",
            "<alloc::vec::Vec<callsoon::Task<()>> as core::ops::drop::Drop>::drop::{{closure}}",
            "<[callsoon::Task<()>]>::sort::{{closure}}",
        ] {
            assert!(!is_own(name), "{name}");
        }
    }
}
