//! [`InteropArgs`]: the arguments of a call.

use super::arg::InteropArg;
use super::writer::ArgWriter;

/// The arguments of a call, in the order in which they are declared: a tuple of [`InteropArg`]s.
///
/// One argument is a tuple of one, `(id,)`, and none is `()`. Give all of them, those included that have a default on
/// the other side. What Python declares as `*rest` is one argument, a list; its `**options` are one, a map.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of the arguments of a call",
    label = "expected a tuple of arguments",
    note = "one argument is written `(argument,)`, none `()`; each has to be an `InteropArg`"
)]
pub trait InteropArgs: sealed::Sealed {
    /// How many they are.
    #[doc(hidden)]
    const COUNT: usize;

    /// Writes them, each as [an argument](ArgWriter::argument).
    #[doc(hidden)]
    fn write_args(&self, writer: &mut ArgWriter);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! tuples {
    ($($count:literal ($($argument:ident),*))+) => {
        $(
            impl<$($argument: InteropArg),*> sealed::Sealed for ($($argument,)*) {}

            impl<$($argument: InteropArg),*> InteropArgs for ($($argument,)*) {
                const COUNT: usize = $count;

                fn write_args(&self, writer: &mut ArgWriter) {
                    #[expect(non_snake_case, reason = "one name for the type and its value")]
                    let ($($argument,)*) = self;
                    $(writer.argument($argument);)*
                }
            }

            impl<$($argument: InteropArg),*> InteropArg for ($($argument,)*) {
                fn write_arg(&self, writer: &mut ArgWriter) {
                    #[expect(non_snake_case, reason = "one name for the type and its value")]
                    let ($($argument,)*) = self;
                    writer.array($count, |writer| {
                        $($argument.write_arg(writer);)*
                    });
                }
            }
        )+
    };
}

impl sealed::Sealed for () {}

impl InteropArgs for () {
    const COUNT: usize = 0;

    fn write_args(&self, _: &mut ArgWriter) {}
}

tuples! {
    1 (A)
    2 (A, B)
    3 (A, B, C)
    4 (A, B, C, D)
    5 (A, B, C, D, E)
    6 (A, B, C, D, E, F)
    7 (A, B, C, D, E, F, G)
    8 (A, B, C, D, E, F, G, H)
    9 (A, B, C, D, E, F, G, H, I)
    10 (A, B, C, D, E, F, G, H, I, J)
    11 (A, B, C, D, E, F, G, H, I, J, K)
    12 (A, B, C, D, E, F, G, H, I, J, K, L)
}

impl<A: InteropArgs + ?Sized> sealed::Sealed for &A {}

impl<A: InteropArgs + ?Sized> InteropArgs for &A {
    const COUNT: usize = A::COUNT;

    fn write_args(&self, writer: &mut ArgWriter) {
        (**self).write_args(writer);
    }
}
