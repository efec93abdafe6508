"""What howdah itself brings, registered through the same entry points as any bundle."""

from howdah.models.sites import ForkSite, SlurmSite
from howdah.models.spec import ExperimentSpec
from howdah.plugins import JobType, SiteKind, StorageKind, TransportKind

hpc = JobType(
    "hpc",
    "a batch job on a cluster, a virtual machine or this machine",
    ExperimentSpec,
    workflow="howdah.workflows.hpc_job:HpcJob",
    task_queue="howdah",
)

slurm = SiteKind("slurm", "a cluster run by Slurm", SlurmSite, "howdah.activities.schedulers.slurm:Slurm")
fork = SiteKind("fork", "a machine without a scheduler", ForkSite, "howdah.activities.schedulers.fork:Fork")

local = TransportKind("local", "this machine", "howdah.activities.transports.local:LocalTransport")
ssh = TransportKind("ssh", "another machine, through SSH", "howdah.activities.transports.ssh:SshTransport")

file = StorageKind("file", "paths the worker sees", ("file",), "howdah.activities.storage.file:FileStorage")
web = StorageKind(
    "web", "http and https", ("http", "https"), "howdah.activities.storage.web:WebStorage", writable=False
)
rclone = StorageKind(
    "rclone", "what the worker's rclone knows", ("rclone",), "howdah.activities.storage.rclone:RcloneStorage"
)
objects = StorageKind(
    "objects",
    "object stores: S3, Google Cloud Storage, Azure",
    ("s3", "gs", "az"),
    "howdah.activities.storage.objects:ObjectStorage",
)
