// Tries, one after the other, what no service of the appliance may do, and prints for each the call's name and what came of it: "refused EPERM", "refused
// ENOSYS", or "DONE". Each in a child of its own, so that one that ends the process is seen ("ended by signal 31"). Static: it runs where nothing is installed.
// With an account without capabilities most of these fail anyway; "DONE" and any error but EPERM and ENOSYS mean that the filter let the call through to the kernel.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY(name, ...) attempt(name, (long[]){__VA_ARGS__, 0, 0, 0, 0, 0, 0})

static void attempt(const char *name, const long *a) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        errno = 0;
        long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
        if (result >= 0) printf("%s DONE\n", name);
        else printf("%s %s%s\n", name, errno == EPERM || errno == ENOSYS ? "refused " : "reached the kernel: ", errno == EPERM ? "EPERM" : errno == ENOSYS ? "ENOSYS" : strerror(errno));
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) printf("%s ended by signal %d\n", name, WTERMSIG(status));
}

int main(void) {
    // What is used all the time must go through, or the rest proves nothing.
    TRY("getpid", SYS_getpid);
    TRY("socket-unix", SYS_socket, AF_UNIX, SOCK_STREAM);
    TRY("socket-inet", SYS_socket, AF_INET, SOCK_STREAM);
    TRY("socket-netlink", SYS_socket, AF_NETLINK, SOCK_RAW);

    TRY("socket-packet", SYS_socket, AF_PACKET, SOCK_DGRAM);
    TRY("socket-vsock", SYS_socket, AF_VSOCK, SOCK_STREAM);
    TRY("socket-alg", SYS_socket, AF_ALG, SOCK_SEQPACKET);
    TRY("socketpair-inet", SYS_socketpair, AF_INET, SOCK_STREAM);
    TRY("clone-newuser", SYS_clone, CLONE_NEWUSER | SIGCHLD);
    TRY("clone-newnet", SYS_clone, CLONE_NEWNET | SIGCHLD);
    TRY("clone3", SYS_clone3, 0);
    TRY("unshare", SYS_unshare, CLONE_NEWUSER);
    TRY("setns", SYS_setns, -1);
    TRY("mount", SYS_mount, 0);
    TRY("umount2", SYS_umount2, 0);
    TRY("pivot_root", SYS_pivot_root, 0);
    TRY("chroot", SYS_chroot, (long)"/");
    TRY("ptrace", SYS_ptrace, 0);
    TRY("process_vm_readv", SYS_process_vm_readv, 1);
    TRY("process_vm_writev", SYS_process_vm_writev, 1);
    TRY("bpf", SYS_bpf, 0);
    TRY("perf_event_open", SYS_perf_event_open, 0);
    TRY("keyctl", SYS_keyctl, 0);
    TRY("add_key", SYS_add_key, 0);
    TRY("request_key", SYS_request_key, 0);
    TRY("io_uring_setup", SYS_io_uring_setup, 1);
    TRY("io_uring_enter", SYS_io_uring_enter, -1);
    TRY("userfaultfd", SYS_userfaultfd, 1);
    TRY("personality", SYS_personality, 0x0040000);
    TRY("kexec_load", SYS_kexec_load, 0);
    TRY("init_module", SYS_init_module, 0);
    TRY("finit_module", SYS_finit_module, -1);
    TRY("reboot", SYS_reboot, 0);
    TRY("swapon", SYS_swapon, 0);
    TRY("settimeofday", SYS_settimeofday, 0);
    TRY("sethostname", SYS_sethostname, (long)"x", 1);
    TRY("mknod", SYS_mknodat, -100, (long)"/tmp/n", 0020666, 0x103);
    TRY("setuid", SYS_setuid, 0);
    TRY("setgroups", SYS_setgroups, 0);
    TRY("capset", SYS_capset, 0);
    TRY("seccomp", SYS_seccomp, 0);
    TRY("fanotify_init", SYS_fanotify_init, 0);
    TRY("open_by_handle_at", SYS_open_by_handle_at, -1);
    TRY("name_to_handle_at", SYS_name_to_handle_at, -1, (long)"/");
    TRY("fsopen", SYS_fsopen, 0);
    TRY("open_tree", SYS_open_tree, -1, 0);
    TRY("move_mount", SYS_move_mount, -1, 0);
    TRY("pidfd_getfd", SYS_pidfd_getfd, -1, 0);
    TRY("memfd_secret", 447, 0);
    TRY("mq_open", SYS_mq_open, 0);
    TRY("msgget", SYS_msgget, 0, 0);
    TRY("semget", SYS_semget, 0, 1, 0);
    TRY("vmsplice", SYS_vmsplice, -1);
    TRY("quotactl", SYS_quotactl, 0);
    TRY("syslog", SYS_syslog, 3, 0);
    TRY("acct", SYS_acct, 0);
    return 0;
}
