//! Taking memory from the kernel and giving it back.

/// Makes the heap grow in few large steps (`mallopt(3)`), for a process that lives for milliseconds: lists that double
/// would otherwise be mapped, copied and unmapped one after the other, each page zeroed anew. Buffers that are far
/// larger are still mapped: their pages are zero without being touched.
pub fn grow_in_large_steps() {
    #[cfg(target_env = "gnu")]
    for (parameter, bytes) in [
        (libc::M_TOP_PAD, 1 << 20),
        (libc::M_MMAP_THRESHOLD, 512 << 10),
        (libc::M_TRIM_THRESHOLD, 4 << 20),
    ] {
        // SAFETY: both arguments are plain numbers; the allocator takes its own lock.
        unsafe {
            libc::mallopt(parameter, bytes);
        }
    }
}

/// Returns what the allocator holds without using it (`malloc_trim(3)`); a C library without the call keeps it.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the argument is a plain number; the allocator takes its own locks and touches only its free memory.
    unsafe {
        libc::malloc_trim(0);
    }
}
