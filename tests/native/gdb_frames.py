# Run inside gdb: print "frame PC SP" for every real frame of the selected thread. Inlined frames have no stack of their
# own; gdb invents tail-call frames from call-site information.
import gdb

gdb.execute("set backtrace limit unlimited")
gdb.execute("set backtrace past-main on")
frame = gdb.newest_frame()
while frame is not None and frame.is_valid():
    if frame.type() in (gdb.NORMAL_FRAME, gdb.SIGTRAMP_FRAME):
        sp = int(frame.read_register("rsp")) & (2 ** 64 - 1)
        print("frame %x %x" % (frame.pc(), sp))
    frame = frame.older()
