//! The work of an operating system and a C library: start, memory, output, exit.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

const HEAP: usize = 4 << 20;

/// Hands out memory from one block, upwards, and takes none back.
struct Bump {
    heap: UnsafeCell<[u8; HEAP]>,
    used: AtomicUsize,
}

// SAFETY: Each byte of the heap is handed out once, by the call that moved `used` past it: the program
// has one thread, and no handlers. (A target may have no compare-and-swap.)
unsafe impl Sync for Bump {}

#[global_allocator]
static BUMP: Bump = Bump { heap: UnsafeCell::new([0; HEAP]), used: AtomicUsize::new(0) };

// SAFETY: A block lies inside the heap, is aligned, overlaps no other, and stays for ever.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.heap.get() as usize;
        let used = self.used.load(Ordering::Relaxed);
        let start = (base + used).next_multiple_of(layout.align()) - base;
        let Some(end) = start.checked_add(layout.size()).filter(|end| *end <= HEAP) else {
            return null_mut();
        };
        self.used.store(end, Ordering::Relaxed);
        // SAFETY: `start` is at most `HEAP`, so the result is in the heap or at its end.
        unsafe { self.heap.get().cast::<u8>().add(start) }
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

pub use arch::{exit, say};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod arch {
    use core::arch::{asm, global_asm};

    const WRITE: usize = 1;
    const EXIT_GROUP: usize = 231;
    const STANDARD_OUTPUT: usize = 1;

    // The kernel's stack holds arguments; calls want it aligned, and 16 bytes more of no frame.
    global_asm!(
        ".globl _start",
        "_start:",
        "xor ebp, ebp",
        "and rsp, -16",
        "call {begin}",
        "ud2",
        begin = sym crate::begin,
    );

    fn system_call(number: usize, arguments: [usize; 3]) -> isize {
        let result;
        // SAFETY: Only `write`, which reads what `say` gives it, and `exit_group` are called. The
        // kernel changes no register but these.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") number as isize => result,
                in("rdi") arguments[0],
                in("rsi") arguments[1],
                in("rdx") arguments[2],
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        result
    }

    /// Writes `text` to the standard output, as far as that takes it.
    pub fn say(text: &str) {
        system_call(WRITE, [STANDARD_OUTPUT, text.as_ptr() as usize, text.len()]);
    }

    /// Ends the program.
    pub fn exit(code: usize) -> ! {
        loop {
            system_call(EXIT_GROUP, [code, 0, 0]);
        }
    }

    // Functions that compiled code calls by these names, and that a C library would bring.

    /// # Safety
    ///
    /// C's `memcpy`: both blocks are `count` bytes long and don't overlap.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        // SAFETY: The caller's promise; the direction flag is clear on every call.
        unsafe {
            asm!(
                "rep movsb",
                inout("rcx") count => _,
                inout("rdi") to => _,
                inout("rsi") from => _,
                options(nostack, preserves_flags),
            );
        }
        to
    }

    /// # Safety
    ///
    /// C's `memmove`: both blocks are `count` bytes long.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        if (to as usize).wrapping_sub(from as usize) >= count {
            // SAFETY: `to` is below `from` or past its end: going up overwrites only what was read.
            return unsafe { memcpy(to, from, count) };
        }
        for index in (0..count).rev() {
            // SAFETY: `index` is inside both blocks.
            unsafe { to.add(index).write(from.add(index).read()) };
        }
        to
    }

    /// # Safety
    ///
    /// C's `memset`: the block is `count` bytes long.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
        // SAFETY: The caller's promise; the direction flag is clear on every call.
        unsafe {
            asm!(
                "rep stosb",
                inout("rcx") count => _,
                inout("rdi") to => _,
                in("al") byte as u8,
                options(nostack, preserves_flags),
            );
        }
        to
    }

    /// # Safety
    ///
    /// C's `memcmp`: both blocks are `count` bytes long.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
        for index in 0..count {
            // SAFETY: `index` is inside both blocks.
            let (left, right) = unsafe { (left.add(index).read(), right.add(index).read()) };
            if left != right {
                return i32::from(left) - i32::from(right);
            }
        }
        0
    }

    /// # Safety
    ///
    /// C's `bcmp`: both blocks are `count` bytes long.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
        // SAFETY: The same promise.
        unsafe { memcmp(left, right, count) }
    }

    // Symbols that `core` and `alloc`, which come compiled to unwind, refer to. Nothing ever unwinds.

    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}

    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() -> ! {
        exit(102)
    }
}

/// Elsewhere the program is only checked, not linked.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod arch {
    pub fn say(_text: &str) {}

    pub fn exit(_code: usize) -> ! {
        let _ = crate::begin;
        loop {
            core::hint::spin_loop();
        }
    }
}
