//! `stands_on_a_future!`: the methods of every helper that delegates to a future of its own.

/// Makes a handle `$handle(Rc<Inner>)` a future-like thing. It has the inherent methods of one, a
/// `name` in its inner, and `fut()`, the future that callbacks and awaits go to. What is its own
/// stands in the braces.
macro_rules! stands_on_a_future {
    ($handle:ident $($own:tt)*) => {
        impl<T: Clone + 'static> AnyFuture for $handle<T> {
            $($own)*

            fn done(&self) -> bool {
                self.done()
            }

            fn cancelled(&self) -> bool {
                self.cancelled()
            }

            fn cancel(&self) -> bool {
                self.cancel()
            }

            fn exception(&self) -> Result<Option<Error>> {
                self.exception()
            }

            fn set_exception(&self, error: Error) -> Result<()> {
                self.set_exception(error)
            }

            fn add_callback(&self, callback: Callback) {
                self.fut().add_callback(callback);
            }

            fn remove_done_callback(&self, callback: &Callback) -> usize {
                self.fut().remove_done_callback(callback)
            }

            fn has_callback(&self, callback: &Callback) -> bool {
                self.fut().has_callback(callback)
            }

            fn get_loop(&self) -> LoopRef {
                self.fut().get_loop()
            }

            fn id(&self) -> FutureId {
                FutureId::of(&self.0)
            }

            fn name(&self) -> String {
                self.0.name.as_deref().map_or_else(String::new, String::from)
            }

            fn to_any(&self) -> Rc<dyn AnyFuture> {
                Rc::new(self.clone())
            }

            fn as_any(&self) -> &dyn Any {
                self
            }
        }

        impl<T: Clone + 'static> FutureLike<T> for $handle<T> {
            fn result(&self) -> Result<T> {
                self.result()
            }

            fn set_result(&self, value: T) -> Result<()> {
                self.set_result(value)
            }

            fn wait(&self) -> Await<T> {
                self.fut().wait()
            }

            fn to_future_like(&self) -> Rc<dyn FutureLike<T>> {
                Rc::new(self.clone())
            }
        }

        impl<T: Clone + 'static> IntoFuture for $handle<T> {
            type Output = Result<T>;
            type IntoFuture = Await<T>;

            fn into_future(self) -> Await<T> {
                self.wait()
            }
        }

        impl<T: Clone + 'static> IntoFuture for &$handle<T> {
            type Output = Result<T>;
            type IntoFuture = Await<T>;

            fn into_future(self) -> Await<T> {
                self.wait()
            }
        }

        impl<T: 'static> Clone for $handle<T> {
            fn clone(&self) -> Self {
                $handle(Rc::clone(&self.0))
            }
        }
    };
}
pub(crate) use stands_on_a_future;
