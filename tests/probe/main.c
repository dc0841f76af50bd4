/* worker-probe: the worker for tests as a program. */
#include "tests/probe/probe.h"

int main(int argc, char **argv)
{
	return worker_main(&probe_worker, argc, argv);
}
