import gzip





def archive(order):
    folder = tempfile.mkdtemp(prefix="shop-")
    path = f"{folder}/{order.city}-{order.id}.txt"
    with open(path, "w") as out:
        out.write(order.text())

    subprocess.run(["/usr/bin/gzip", "-9", path], cwd=folder, check=True)
    shutil.rmtree(folder)



def close(folder):

    os.chmod(folder, 0o644)
