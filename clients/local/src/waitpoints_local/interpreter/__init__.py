"""moto's interpreter of the States Language, inside the emulator's process: how it is loaded, and what of it is ours.

moto 5.2.5 keeps LocalStack's interpreter, whose behaviour was recorded on AWS. `bare.py` loads it without the rest of moto.
`strands.py` has the threads and events, `waits.py` what waits by an execution's clock, `runs.py` the executions, `api.py` what
the API answers about them, `tokens.py` the task tokens and activities, `services.py` the clients, `stand_ins.py` the tasks that
a test answers, `batches.py` ItemBatcher, `expressions.py` JSONata, `jsonata_processes.py` the processes that evaluate it,
`intrinsics.py` the intrinsic functions, `paths.py` the paths, and `mends.py` moto's other faults. `engine.py` puts all of it
into the emulator.
"""
