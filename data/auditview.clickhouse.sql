-- Ten questions to the table that "auditview export --schema clickhouse" makes, of all machines whose lines are in it.
--
--     clickhouse-client --multiquery < auditview.clickhouse.sql
--
-- args is JSON text: visitParamExtractString(args, 'path') is the argument of that name. caller is the innermost frame that
-- is not in a folder of Python or of packages; files, funcs and lines are all Python frames.

-- 1. What do the programs do, and how often?
SELECT theme, event, count() AS events, uniq(`host.name`) AS hosts, uniq(`host.name`, pid) AS processes
FROM auditview
GROUP BY theme, event
ORDER BY events DESC, event;

-- 2. Which hosts are looked up and connected to, and from where?
SELECT event, if(event IN ('socket.connect', 'socket.sendto'), visitParamExtractRaw(args, 'address'), visitParamExtractString(args, 'host')) AS peer,
    count() AS events, any(caller) AS a_caller
FROM auditview
WHERE event IN ('socket.connect', 'socket.sendto', 'socket.getaddrinfo')
GROUP BY event, peer
ORDER BY events DESC, peer;

-- 3. Which modules are imported, by how many processes, and which of them are native code?
SELECT visitParamExtractString(args, 'module') AS module, uniq(`host.name`, pid) AS processes,
    max(visitParamExtractString(args, 'filename')) AS native_file
FROM auditview
WHERE event = 'import'
GROUP BY module
ORDER BY processes DESC, module;

-- 4. Who opened that file? (Python 3.8 calls the argument file.)
SELECT time, `host.name`, pid, thread, visitParamExtractString(args, 'mode') AS mode, caller, arrayStringConcat(funcs, ' < ') AS stack_of_functions
FROM auditview
WHERE event = 'open' AND concat(visitParamExtractString(args, 'path'), visitParamExtractString(args, 'file')) LIKE '%/etc/hosts'
ORDER BY time;

-- 5. Which classes and functions does pickle look up?
SELECT concat(visitParamExtractString(args, 'module'), '.', visitParamExtractString(args, 'name')) AS class, count() AS events, any(caller) AS a_caller
FROM auditview
WHERE event = 'pickle.find_class'
GROUP BY class
ORDER BY class;

-- 6. Which commands are run?
SELECT time, `host.name`, pid, event, args, caller
FROM auditview
WHERE event IN ('subprocess.Popen', 'os.system', 'os.exec', 'os.spawn', 'os.posix_spawn', 'pty.spawn')
ORDER BY time;

-- 7. Which code is made at run time, by eval, exec and compile?
SELECT visitParamExtractString(args, 'filename') AS filename, caller, count() AS events
FROM auditview
WHERE event = 'compile' AND filename LIKE '<%' AND filename NOT LIKE '<frozen%'
GROUP BY filename, caller
ORDER BY events DESC, caller;

-- 8. Where does native code come in, which raises no event of its own?
SELECT event, if(event = 'import', visitParamExtractString(args, 'filename'), visitParamExtractString(args, 'name')) AS library,
    uniq(`host.name`, pid) AS processes
FROM auditview
WHERE event = 'ctypes.dlopen' OR (event = 'import' AND library != '')
GROUP BY event, library
ORDER BY processes DESC, library;

-- 9. Which files are written, made, renamed and removed?
SELECT event, if(event = 'open', concat(visitParamExtractRaw(args, 'path'), visitParamExtractRaw(args, 'file')), args) AS what,
    count() AS events, any(caller) AS a_caller
FROM auditview
WHERE (event = 'open' AND match(visitParamExtractString(args, 'mode'), '[wax+]'))
    OR event IN ('os.remove', 'os.rename', 'os.mkdir', 'os.rmdir', 'os.link', 'os.symlink', 'os.truncate', 'shutil.rmtree', 'shutil.move')
GROUP BY event, what
ORDER BY what;

-- 10. What does the newest day have that no day before it had?
SELECT event, caller, count() AS events, min(time) AS first
FROM auditview
WHERE day = (SELECT max(day) FROM auditview) AND (event, caller) NOT IN
    (SELECT event, caller FROM auditview WHERE day < (SELECT max(day) FROM auditview))
GROUP BY event, caller
ORDER BY first;
