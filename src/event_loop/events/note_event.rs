//! [`note_event`]: records an event in the log of `event_log`.

/// Notes an event of the loop `$on` if it keeps a log. Without the feature neither is evaluated.
macro_rules! note_event {
    ($on:expr, $event:expr) => {
        #[cfg(feature = "events")]
        {
            let on = $on;
            if on.records_events() {
                on.log_event($event);
            }
        }
    };
}
pub(crate) use note_event;
