/*
 * loads: a program without Python that loads and unloads a module without end.
 *
 *     loads MODULE [PROGRAM ARG…]
 *
 * It prints "go", and "fine" when its standard input ends. If a byte arrives there, its second
 * thread becomes PROGRAM instead.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static char **program;
static atomic_bool is_over;

static void *listen_to_input(void *none)
{
	char byte;
	if (read(0, &byte, 1) == 1 && program[0]) {
		execvp(program[0], program);
		perror(program[0]);
		_exit(4);
	}
	atomic_store(&is_over, true);
	return none;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	program = argv + 2;
	if (argc < 2 || pthread_create(&thread, NULL, listen_to_input, NULL) != 0)
		return 2;
	setvbuf(stdout, NULL, _IONBF, 0);
	puts("go");
	while (!atomic_load(&is_over)) {
		void *module = dlopen(argv[1], RTLD_NOW);
		if (!module) {
			fprintf(stderr, "%s\n", dlerror());
			return 3;
		}
		dlclose(module);
	}
	puts("fine");
	return 0;
}
