//! `Executor` and `LocalExecutor`: both are a loop, which stays on its thread.

use std::marker::PhantomData;

use loops::Driven;
pub use loops::Task;

pub type LocalExecutor<'a> = Executor<'a>;

#[derive(Default)]
pub struct Executor<'a> {
    driven: Driven,
    tasks: PhantomData<std::cell::UnsafeCell<&'a ()>>,
}

impl std::panic::UnwindSafe for Executor<'_> {}
impl std::panic::RefUnwindSafe for Executor<'_> {}

impl<'a> Executor<'a> {
    pub fn new() -> Executor<'a> {
        Executor::default()
    }

    pub fn spawn<T: 'a>(&self, future: impl Future<Output = T> + 'a) -> Task<T> {
        loops::spawn(self.driven.on(), future).expect("an open loop")
    }

    pub fn spawn_many<T: 'a, F: Future<Output = T> + 'a>(
        &self,
        futures: impl IntoIterator<Item = F>,
        handles: &mut impl Extend<Task<T>>,
    ) {
        handles.extend(futures.into_iter().map(|future| self.spawn(future)));
    }

    pub fn try_tick(&self) -> bool {
        self.driven.turn()
    }

    pub async fn tick(&self) {
        self.driven.tick().await;
    }

    pub async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.driven.run(future).await
    }
}
