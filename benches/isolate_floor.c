// The least that isolating a command can cost: one clone3 into five namespaces, mounts made private, a /proc of
// its own, exec, wait.
//
//   isolate_floor CMD [ARG...]
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int result, const char *what) {
    if (result < 0) {
        perror(what);
        _exit(125);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    struct clone_args args = {
        .flags = CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET,
        .exit_signal = SIGCHLD,
    };
    pid_t child = syscall(SYS_clone3, &args, sizeof args);
    must(child, "clone3");
    if (child == 0) {
        must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
        must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
        execvp(argv[1], argv + 1);
        must(-1, "exec");
    }
    int status;
    must(waitpid(child, &status, 0), "wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
