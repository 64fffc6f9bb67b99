//! The children of a [`gather`](super::gather()): a list of one type, or a tuple of several.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::ops::Deref;

use crate::asyncio::core::AnyFuture;
use crate::asyncio::future::{FutureLike, LoopFuture};
use crate::asyncio::task::Task;
use crate::error::{Error, Result};
use crate::event_loop::{expect_possible, expect_running_loop};

/// The children of one gather.
pub trait Children: 'static {
    /// Their results.
    type Results: 'static;
    /// Their outcomes.
    type Outcomes: 'static;

    /// Their number. One may be there twice.
    fn len(&self) -> usize;

    /// The child in this place.
    fn get(&self, place: usize) -> Option<&dyn AnyFuture>;

    /// Their results, when all are done.
    ///
    /// # Errors
    ///
    /// That of the first that has one.
    fn results(&self) -> Result<Self::Results>;

    /// Their outcomes, when all are done.
    fn outcomes(&self) -> Self::Outcomes;
}

/// The outcome of a child. A message that is for the first reader is for the task that awaits the
/// child itself.
fn outcome<T: Clone + 'static>(child: &(impl FutureLike<T> + ?Sized)) -> Result<T> {
    match child.as_any().downcast_ref::<Task<T>>() {
        Some(task) if task.delivers_to_first() => Err(Error::cancelled()),
        _ => child.result(),
    }
}

/// An argument of [`gather`](super::gather()) in a tuple: a coroutine, which becomes a task, or a
/// future or task, by value or by reference.
pub trait GatherOne<T: Clone + 'static> {
    /// The future that stands for it.
    type Future: FutureLike<T> + 'static;

    /// The future that stands for it.
    fn into_child(self) -> Self::Future;
}

impl<T: Clone + 'static, F: Future<Output = Result<T>> + 'static> GatherOne<T> for F {
    type Future = Task<T>;

    #[track_caller]
    fn into_child(self) -> Task<T> {
        expect_possible(expect_running_loop().create_main_task(self))
    }
}

macro_rules! gather_handle {
    ($handle:ident) => {
        impl<T: Clone + 'static> GatherOne<T> for $handle<T> {
            type Future = $handle<T>;

            fn into_child(self) -> $handle<T> {
                self
            }
        }

        impl<T: Clone + 'static> GatherOne<T> for &$handle<T> {
            type Future = $handle<T>;

            fn into_child(self) -> $handle<T> {
                self.clone()
            }
        }
    };
}

gather_handle!(LoopFuture);
gather_handle!(Task);

/// The arguments of [`gather`](super::gather()): handles of futures and tasks of one type, coroutines
/// of one type, or a tuple of up to twelve of any. `Kind` tells the compiler which of these it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be gathered",
    label = "not a list of futures, tasks or coroutines, and not a tuple of them",
    note = "lists are of references (`&tasks`, `[&a, &b]`), or of coroutines; results must be `Clone`",
    note = "tuples are of coroutines, futures and tasks, each with an `Output` of \
            `callsoon::Result<T>`"
)]
pub trait Gather<Kind> {
    /// The children.
    type Children: Children;

    /// The children, where coroutines have become tasks.
    fn into_children(self) -> Self::Children;
}

/// Handles of futures of `T`.
#[derive(Debug)]
pub struct Handles<T>(PhantomData<T>);

/// Coroutines with results of `T`.
#[derive(Debug)]
pub struct Coroutines<T>(PhantomData<T>);

/// Several types in a tuple.
#[derive(Debug)]
pub struct Tuple<T>(PhantomData<T>);

impl<T, I, H, F> Gather<Handles<T>> for I
where
    T: Clone + 'static,
    I: IntoIterator<Item = H>,
    H: Deref<Target = F>,
    F: FutureLike<T> + ?Sized,
{
    type Children = List<T>;

    fn into_children(self) -> List<T> {
        List(self.into_iter().map(|child| Child::of(&*child)).collect())
    }
}

impl<T, I, F> Gather<Coroutines<T>> for I
where
    T: Clone + 'static,
    I: IntoIterator<Item = F>,
    F: Future<Output = Result<T>> + 'static,
{
    type Children = List<T>;

    #[track_caller]
    fn into_children(self) -> List<T> {
        let mut list = Vec::new();
        for coroutine in self {
            list.push(Child::Task(coroutine.into_child()));
        }
        List(list)
    }
}

/// A child, without an `Rc` of its own where it is a future or a task.
enum Child<T: 'static> {
    Future(LoopFuture<T>),
    Task(Task<T>),
    Like(Rc<dyn FutureLike<T>>),
}

impl<T: Clone + 'static> Child<T> {
    fn of(child: &(impl FutureLike<T> + ?Sized)) -> Child<T> {
        let any = child.as_any();
        if let Some(future) = any.downcast_ref::<LoopFuture<T>>() {
            return Child::Future(future.clone());
        }
        match any.downcast_ref::<Task<T>>() {
            Some(task) => Child::Task(task.clone()),
            None => Child::Like(child.to_future_like()),
        }
    }
}

impl<T: Clone + 'static> Deref for Child<T> {
    type Target = dyn FutureLike<T>;

    fn deref(&self) -> &(dyn FutureLike<T> + 'static) {
        match self {
            Child::Future(future) => future,
            Child::Task(task) => task,
            Child::Like(like) => &**like,
        }
    }
}

/// Children of one type.
pub struct List<T: 'static>(Vec<Child<T>>);

impl<T: Clone + 'static> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|child| &**child)).finish()
    }
}

impl<T: Clone + 'static> Children for List<T> {
    type Results = Vec<T>;
    type Outcomes = Vec<Result<T>>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, place: usize) -> Option<&dyn AnyFuture> {
        Some(match self.0.get(place)? {
            Child::Future(future) => future,
            Child::Task(task) => task,
            Child::Like(like) => like,
        })
    }

    fn results(&self) -> Result<Vec<T>> {
        self.0.iter().map(|child| child.result()).collect()
    }

    fn outcomes(&self) -> Vec<Result<T>> {
        self.0.iter().map(|child| outcome(&**child)).collect()
    }
}

/// A tuple of children, and the types of their results.
#[derive(Debug)]
pub struct Members<F, T>(F, PhantomData<fn() -> T>);

macro_rules! tuples {
    ($(($($member:ident $child:ident $result:ident $place:tt),*))*) => {
        $(
            impl<$($member, $result),*> Gather<Tuple<($($result,)*)>> for ($($member,)*)
            where
                $($result: Clone + 'static, $member: GatherOne<$result>,)*
            {
                type Children = Members<($($member::Future,)*), ($($result,)*)>;

                #[track_caller]
                fn into_children(self) -> Self::Children {
                    Members(($(self.$place.into_child(),)*), PhantomData)
                }
            }

            impl<$($child, $result),*> Children for Members<($($child,)*), ($($result,)*)>
            where
                $($result: Clone + 'static, $child: FutureLike<$result> + 'static,)*
            {
                type Results = ($($result,)*);
                type Outcomes = ($(Result<$result>,)*);

                fn len(&self) -> usize {
                    [$($place),*].len()
                }

                fn get(&self, place: usize) -> Option<&dyn AnyFuture> {
                    match place {
                        $($place => Some(&self.0.$place),)*
                        _ => None,
                    }
                }

                fn results(&self) -> Result<Self::Results> {
                    Ok(($(self.0.$place.result()?,)*))
                }

                fn outcomes(&self) -> Self::Outcomes {
                    ($(outcome(&self.0.$place),)*)
                }
            }
        )*
    };
}

tuples! {
    (M0 C0 R0 0)
    (M0 C0 R0 0, M1 C1 R1 1)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2, M3 C3 R3 3)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2, M3 C3 R3 3, M4 C4 R4 4)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2, M3 C3 R3 3, M4 C4 R4 4, M5 C5 R5 5)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2, M3 C3 R3 3, M4 C4 R4 4, M5 C5 R5 5, M6 C6 R6 6)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2, M3 C3 R3 3, M4 C4 R4 4, M5 C5 R5 5, M6 C6 R6 6, M7 C7 R7 7)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2, M3 C3 R3 3, M4 C4 R4 4, M5 C5 R5 5, M6 C6 R6 6, M7 C7 R7 7, M8 C8 R8 8)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2, M3 C3 R3 3, M4 C4 R4 4, M5 C5 R5 5, M6 C6 R6 6, M7 C7 R7 7, M8 C8 R8 8, M9 C9 R9 9)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2, M3 C3 R3 3, M4 C4 R4 4, M5 C5 R5 5, M6 C6 R6 6, M7 C7 R7 7, M8 C8 R8 8, M9 C9 R9 9, M10 C10 R10 10)
    (M0 C0 R0 0, M1 C1 R1 1, M2 C2 R2 2, M3 C3 R3 3, M4 C4 R4 4, M5 C5 R5 5, M6 C6 R6 6, M7 C7 R7 7, M8 C8 R8 8, M9 C9 R9 9, M10 C10 R10 10, M11 C11 R11 11)
}
