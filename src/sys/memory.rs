//! Giving memory back to the kernel.

/// Returns what the allocator holds without using it (`malloc_trim(3)`); a C library without the call keeps it.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the argument is a plain number; the allocator takes its own locks and touches only its free memory.
    unsafe {
        libc::malloc_trim(0);
    }
}
