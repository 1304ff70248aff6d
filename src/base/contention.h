// How much of the processors others take.
#pragma once

namespace burnish {

/// Microseconds in which threads of this process, of those alive now, could have run and no processor was
/// free for them: the second number of each thread's schedstat in Linux's /proc; 0 where the system does not
/// tell. With every call the sum is larger, but for threads that have ended.
double waited_for_processors_us();

}  // namespace burnish
