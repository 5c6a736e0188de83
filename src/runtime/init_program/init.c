/*
 * Runs in: the container, as pid 1 of `--init`. Runs one program, passes signals on to it and reaps orphans.
 *
 *   init PROGRAM ARGV0 [ARG...]
 *
 * Freestanding: no C library, no memory but the stack, system calls only. It ends with the program's status, 128 + n
 * after signal n, and the kernel then ends whatever else is in the pid namespace. A program that cannot be executed
 * answers 127 (something is missing) or 126.
 */

typedef unsigned long word;

#if defined(__x86_64__)
enum { WRITE = 1, IOCTL = 16, CLONE = 56, EXECVE = 59, EXIT_GROUP = 231, WAIT4 = 61, KILL = 62, SETPGID = 109,
       GETPID = 39, SIGPROCMASK = 14, SIGTIMEDWAIT = 128, PRCTL = 157, CLOSE_RANGE = 436 };

/* The kernel starts us with argc, argv and the environment on the stack. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run\n\thlt\n");

static long call(long number, word a, word b, word c, word d)
{
    long answer;
    register word fourth __asm__("r10") = d;
    register word fifth __asm__("r8") = 0;
    __asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return answer;
}
#elif defined(__aarch64__)
enum { WRITE = 64, IOCTL = 29, CLONE = 220, EXECVE = 221, EXIT_GROUP = 94, WAIT4 = 260, KILL = 129, SETPGID = 154,
       GETPID = 172, SIGPROCMASK = 135, SIGTIMEDWAIT = 137, PRCTL = 167, CLOSE_RANGE = 436 };

__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tbl run\n\tbrk #1\n");

static long call(long number, word a, word b, word c, word d)
{
    register long nr __asm__("x8") = number;
    register word first __asm__("x0") = a;
    register word second __asm__("x1") = b;
    register word third __asm__("x2") = c;
    register word fourth __asm__("x3") = d;
    register word fifth __asm__("x4") = 0;
    __asm__ volatile("svc #0" : "+r"(first) : "r"(nr), "r"(second), "r"(third), "r"(fourth), "r"(fifth) : "memory");
    return (long)first;
}
#else
#error "init is written for x86_64 and aarch64"
#endif

enum { SIG_SETMASK = 2, SIGCHLD = 17, SET_BYTES = 8, WNOHANG = 1, WALL = 0x40000000, TIOCSPGRP = 0x5410,
       PR_SET_NAME = 15, ENOENT = 2 };

__attribute__((noreturn)) static void leave(int status)
{
    for (;;)
        call(EXIT_GROUP, (word)status, 0, 0, 0);
}

static void say(const char *text)
{
    word length = 0;
    while (text[length])
        length++;
    call(WRITE, 2, (word)text, length, 0);
}

static void set_mask(word blocked)
{
    call(SIGPROCMASK, SIG_SETMASK, (word)&blocked, 0, SET_BYTES);
}

/* Runs in: the child, with every signal blocked: SIGTTOU does not stop it when it takes the terminal. */
__attribute__((noreturn)) static void become(char **argv, char **envp)
{
    int group = (int)call(GETPID, 0, 0, 0, 0);
    call(SETPGID, 0, 0, 0, 0);
    /* Keys of the terminal then reach the program's group, not us; stdin that is no terminal of ours says so. */
    call(IOCTL, 0, TIOCSPGRP, (word)&group, 0);
    set_mask(0);
    long error = -call(EXECVE, (word)argv[1], (word)(argv + 2), (word)envp, 0);
    say("Error: exec \"");
    say(argv[1]);
    say(error == ENOENT ? "\": its interpreter or library loader is missing\n" : "\": it cannot be executed\n");
    leave(error == ENOENT ? 127 : 126);
}

__attribute__((noreturn, used)) void run(word *stack)
{
    word argc = stack[0], every = ~0ul;
    char **argv = (char **)(stack + 1), **envp = argv + argc + 1;

    if (argc < 3)
        leave(126);
    call(PRCTL, PR_SET_NAME, (word)argv[0], 0, 0);
    set_mask(every);
    long child = call(CLONE, SIGCHLD, 0, 0, 0);
    if (child == 0)
        become(argv, envp);
    if (child < 0) {
        say("Error: init cannot fork\n");
        leave(126);
    }
    /* Passed-on descriptors are the program's alone. 0 to 2 stay: programs write to /proc/1/fd/1. */
    call(CLOSE_RANGE, 3, ~0u, 0, 0);
    for (;;) {
        int status;
        long ended;
        while ((ended = call(WAIT4, (word)-1, (word)&status, WNOHANG | WALL, 0)) > 0)
            if (ended == child)
                leave(status & 0x7f ? 128 + (status & 0x7f) : (status >> 8) & 0xff);
        /* A child that ends from here on leaves a SIGCHLD: it is blocked, so none is lost. */
        long signal = call(SIGTIMEDWAIT, (word)&every, 0, 0, SET_BYTES);
        if (signal > 0 && signal != SIGCHLD)
            call(KILL, (word)child, (word)signal, 0, 0);
    }
}
