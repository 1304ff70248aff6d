// The one thread that owns the OpenMP team.
#pragma once

#include <functional>

namespace burnish::cpu {

/// Runs `body` on the process's executor thread with an OpenMP team of `threads`, and returns when it has
/// returned; what it throws is rethrown here. Calls from several threads run one after another, first come
/// first served; a call from within `body` runs in place. Inside, parallel_for() uses the same team.
///
/// libgomp keeps a team for every thread that starts a parallel region: with one such thread in the process,
/// sessions on any number of threads share `threads` workers.
void execute(int threads, const std::function<void()>& body);

}  // namespace burnish::cpu
